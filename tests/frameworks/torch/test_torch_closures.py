"""What PyTorch asks of its own closure method, LBFGS, asked of every search."""

import copy
import pickle
import warnings

import pytest
import torch
from torch_cases import SEARCHES, make, parameters, rosenbrock, same

search = pytest.mark.parametrize("name", SEARCHES)
WIDE = torch.float64


def quadratic(optimizer, params, scale=1.0, calls=None):
    """Make a closure of a sum of squares around 2, of other curvature in each tensor."""

    def closure():
        optimizer.zero_grad()
        loss = scale * sum((k + 1) * (p - 2.0).square().sum() for k, p in enumerate(params))
        loss.backward()
        if calls is not None:
            calls.append(float(loss.detach()))
        return loss

    return closure


def begin(name, dtype=WIDE, **options):
    params = parameters(dtype)
    optimizer = make(name, params, **options)
    calls = []
    return params, optimizer, quadratic(optimizer, params, calls=calls), calls


@search
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_parameters_of_all_shapes_are_found(name, dtype):
    params, optimizer, closure, calls = begin(name, dtype, max_iter=40, groups="tensor")
    for _ in range(4):
        optimizer.step(closure)
    assert value_of(params) < 1e-2 * calls[0]
    assert all(p.dtype == dtype for p in params)


def value_of(params):
    return float(sum((k + 1) * (p.detach() - 2.0).square().sum() for k, p in enumerate(params)))


@search
def test_the_loss_is_that_of_the_start(name):
    _, optimizer, closure, calls = begin(name, max_iter=2)
    loss = optimizer.step(closure)
    assert isinstance(loss, torch.Tensor)
    assert not loss.requires_grad
    assert float(loss) == calls[0]
    assert float(optimizer.step(closure)) <= float(loss)


@search
def test_the_closure_may_be_named(name):
    params, optimizer, closure, _ = begin(name, max_iter=3)
    others, other, same_closure, _ = begin(name, max_iter=3)
    assert float(optimizer.step(closure=closure)) == float(other.step(same_closure))
    assert same(params, others)


@search
def test_gradients_are_enabled_in_the_closure_alone(name):
    _, optimizer, closure, _ = begin(name)
    seen = []

    def watched():
        seen.append(torch.is_grad_enabled())
        return closure()

    with torch.no_grad():
        optimizer.step(watched)
        assert not torch.is_grad_enabled()
    assert len(seen) > 1
    assert all(seen)


@search
def test_a_step_evaluates_no_more_than_it_may(name):
    for most in (1, 2, 5):
        x = torch.tensor([-1.2, 1.0], dtype=WIDE, requires_grad=True)
        optimizer = make(name, [x], max_iter=50, max_eval=most, tolerance_change=0.0)
        calls = []
        closure = rosenbrock(optimizer, [x], calls)
        for k in range(1, 4):
            optimizer.step(closure)
            assert len(calls) == k * most


@search
def test_a_step_moves_no_more_often_than_it_may(name):
    params, optimizer, closure, _ = begin(name, max_iter=3, max_eval=100, tolerance_change=0.0)
    for k in range(1, 4):
        optimizer.step(closure)
        assert optimizer.state[params[0]]["n_iter"] == 3 * k


@search
def test_one_evaluation_moves_nothing_at_first(name):
    params, optimizer, closure, _ = begin(name, max_eval=1)
    before = [p.detach().clone() for p in params]
    optimizer.step(closure)
    assert same(params, before)


@search
def test_zero_gradients_move_nothing(name):
    params = parameters(WIDE)
    before = [p.detach().clone() for p in params]
    optimizer = make(name, params)
    closure = quadratic(optimizer, params, scale=0.0)
    for _ in range(3):
        assert float(optimizer.step(closure)) == 0.0
    assert same(params, before)


@search
def test_gradients_that_are_none_move_nothing(name):
    params = parameters(WIDE)
    before = [p.detach().clone() for p in params]
    optimizer = make(name, params)
    assert float(optimizer.step(lambda: torch.tensor(1.0))) == 1.0
    assert same(params, before)


@search
@pytest.mark.parametrize("loss_of", [float, lambda loss: loss.detach(), lambda loss: loss[None]])
def test_what_a_closure_may_return(name, loss_of):
    params, optimizer, closure, _ = begin(name, max_iter=5)
    others, other, plain, _ = begin(name, max_iter=5)

    def given():
        return loss_of(closure().detach())

    for _ in range(3):
        assert float(optimizer.step(given)) == float(other.step(plain))
    assert same(params, others)


@search
def test_gradients_that_are_zeroed_or_dropped(name):
    results = []
    for to_none in (True, False):
        params = parameters(WIDE)
        optimizer = make(name, params, max_iter=5)

        def closure(params=params, optimizer=optimizer, to_none=to_none):
            optimizer.zero_grad(set_to_none=to_none)
            loss = sum((p - 2.0).square().sum() for p in params)
            loss.backward()
            return loss

        for _ in range(3):
            optimizer.step(closure)
        results.append(params)
    assert same(*results)


@search
def test_one_group_alone(name):
    x, y = parameters(WIDE)[:2]
    with pytest.raises(ValueError, match=f"{name}: param_groups: expected one group"):
        make(name, [{"params": [x]}, {"params": [y]}])
    optimizer = make(name, [{"params": [x], "max_iter": 7}])
    assert optimizer.param_groups[0]["max_iter"] == 7
    with pytest.raises(ValueError, match="expected one group"):
        optimizer.add_param_group({"params": [y]})
    assert len(optimizer.param_groups) == 1
    optimizer.step(quadratic(optimizer, [x]))


@search
def test_named_parameters(name):
    model = torch.nn.Linear(3, 2, dtype=WIDE)
    other = copy.deepcopy(model)
    optimizer = make(name, model.named_parameters(), max_iter=4)
    plain = make(name, other.parameters(), max_iter=4)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    for _ in range(2):
        optimizer.step(quadratic(optimizer, [*model.parameters()]))
        plain.step(quadratic(plain, [*other.parameters()]))
    assert same(model.parameters(), other.parameters())
    saved = optimizer.state_dict()
    assert saved["param_groups"][0]["param_names"] == ["weight", "bias"]
    again = make(name, model.named_parameters())
    again.load_state_dict(saved)
    assert again.param_groups[0]["max_iter"] == 4


@search
@pytest.mark.parametrize("lr", [1.0, 0.25])
def test_lr_as_a_tensor(name, lr):
    params, optimizer, closure, _ = begin(name, max_iter=3, lr=torch.tensor(lr))
    others, other, plain, _ = begin(name, max_iter=3, lr=lr)
    for _ in range(3):
        optimizer.step(closure)
        other.step(plain)
    assert same(params, others)
    assert isinstance(optimizer.param_groups[0]["lr"], torch.Tensor)


@search
@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"lr": -1.0}, "lr"),
        ({"lr": torch.tensor([1.0, 2.0])}, "lr"),
        ({"lr": "fast"}, "lr"),
        ({"max_iter": 0}, "max_iter"),
        ({"max_iter": 2.5}, "max_iter"),
        ({"max_eval": 0}, "max_eval"),
        ({"tolerance_grad": -1.0}, "tolerance_grad"),
        ({"tolerance_change": float("nan")}, "tolerance_change"),
        ({"line_search_fn": "strong_wolfe"}, "line_search_fn"),
        ({"history_size": 10}, "history_size"),
    ],
    ids=str,
)
def test_options_out_of_range(name, options, match):
    with pytest.raises((TypeError, ValueError), match=match):
        make(name, parameters(WIDE), **options)


@search
def test_a_schedule_of_lr(name):
    params, optimizer, closure, _ = begin(name, max_iter=2, max_eval=10)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    values = [value_of(params)]
    for k in range(4):
        optimizer.step(closure)
        schedule.step()
        values.append(value_of(params))
        assert optimizer.param_groups[0]["lr"] == 0.5 ** (k + 1)
    assert values == sorted(values, reverse=True)


@search
@pytest.mark.parametrize("what", ["loss", "gradient"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_trials_that_are_not_finite_are_left(name, what, value):
    params, optimizer, closure, calls = begin(name, max_iter=6, max_eval=30)

    def sometimes():
        loss = closure()
        if len(calls) % 3 == 2:
            if what == "loss":
                return loss * value
            params[0].grad[0, 0] = value
        return loss

    for _ in range(4):
        optimizer.step(sometimes)
        assert all(bool(p.isfinite().all()) for p in params)
        assert value_of(params) <= calls[0]
    assert value_of(params) < calls[0]


@search
def test_a_loss_of_minus_infinity_is_an_end(name):
    params = [torch.ones(2, dtype=WIDE, requires_grad=True)]
    optimizer = make(name, params, max_iter=100, max_eval=200)

    def closure():
        optimizer.zero_grad()
        loss = -params[0].exp().sum()
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    assert bool(params[0].isfinite().all())


@search
def test_a_closure_that_raises_leaves_the_optimizer_of_use(name):
    params, optimizer, closure, calls = begin(name, max_iter=5)

    def raises():
        if len(calls) == 3:
            raise KeyError("gone")
        return closure()

    with pytest.raises(KeyError, match="gone"):
        optimizer.step(raises)
    assert value_of(params) <= calls[0]
    calls.clear()
    optimizer.step(closure)
    assert value_of(params) < calls[0]


@search
def test_hooks_around_a_closure(name):
    params, optimizer, closure, calls = begin(name, max_iter=2)
    order = []

    def before(optimizer, args, kwargs):
        order.append(("before", len(calls)))

        def watched():
            order.append(("closure", len(calls)))
            return args[1]()

        return (args[0], watched, *args[2:]), kwargs

    handles = [
        optimizer.register_step_pre_hook(before),
        optimizer.register_step_post_hook(lambda *_: order.append(("after", len(calls)))),
    ]
    loss = optimizer.step(closure)
    assert float(loss) == calls[0]
    assert order[0] == ("before", 0)
    assert order[-1] == ("after", len(calls))
    assert [what for what, _ in order[1:-1]] == ["closure"] * len(calls)
    for handle in handles:
        handle.remove()
    known = len(order)
    optimizer.step(closure)
    assert len(order) == known
    assert value_of(params) < calls[0]


@search
@pytest.mark.parametrize("way", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
@pytest.mark.parametrize("steps", [0, 2])
def test_a_copy_goes_its_own_way(name, way, steps):
    params, optimizer, closure, _ = begin(name, max_iter=2, max_eval=100)
    for _ in range(steps):
        optimizer.step(closure)
    before = [p.detach().clone() for p in params]
    other = way(optimizer)
    others = other.param_groups[0]["params"]
    other.step(quadratic(other, others))
    assert same(params, before)
    assert not same(params, others)
    optimizer.step(closure)
    assert same(params, others)


@search
def test_a_saved_state_is_a_copy(name):
    params, optimizer, closure, _ = begin(name, max_iter=3)
    optimizer.step(closure)
    saved = optimizer.state_dict()
    kept = copy.deepcopy(saved)
    other = make(name, [p.detach().clone().requires_grad_() for p in params])
    other.load_state_dict(saved)
    optimizer.step(closure)
    other.step(quadratic(other, other.param_groups[0]["params"]))
    assert saved["state"].keys() == kept["state"].keys()
    for key, value in kept["state"][0].items():
        now = saved["state"][0][key]
        assert torch.equal(now, value) if torch.is_tensor(value) else now == value


@search
def test_a_state_before_the_first_step(name):
    params, optimizer, _, _ = begin(name, max_iter=9, lr=0.5)
    assert optimizer.state_dict()["state"] == {}
    other = make(name, [p.detach().clone().requires_grad_() for p in params])
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["max_iter"] == 9
    assert other.param_groups[0]["lr"] == 0.5
    other.step(quadratic(other, other.param_groups[0]["params"]))
    assert not same(params, other.param_groups[0]["params"])


@search
def test_states_of_others_are_refused(name):
    params, optimizer, closure, _ = begin(name)
    with pytest.raises(ValueError, match="doesn't match the size"):
        optimizer.load_state_dict(make(name, params[:2]).state_dict())
    x = [torch.ones(3, dtype=WIDE, requires_grad=True)]
    theirs = make(name, x)
    theirs.step(quadratic(theirs, x))
    other = make(name, [torch.ones(4, dtype=WIDE, requires_grad=True)])
    other.param_groups[0]["max_iter"] = 3
    with pytest.raises(ValueError, match=f"{name}: state: is of 3 parameters, expected 4"):
        other.load_state_dict(theirs.state_dict())
    assert other.param_groups[0]["max_iter"] == 3
    assert other.state_dict()["state"] == {}
    optimizer.step(closure)


@search
def test_a_state_of_lbfgs_begins_anew(name):
    """It has the same count of parameters, and nothing that a search could go on from."""
    params = parameters(WIDE)
    theirs = torch.optim.LBFGS(params, max_iter=2)
    theirs.step(quadratic(theirs, params))
    others = [p.detach().clone().requires_grad_() for p in params]
    optimizer = make(name, others)
    optimizer.load_state_dict(theirs.state_dict())
    before = value_of(others)
    optimizer.step(quadratic(optimizer, others))
    assert value_of(others) < before


@search
def test_two_optimizers_of_one_loss(name):
    x, y = parameters(WIDE)[:2]
    first, second = make(name, [x], max_iter=3), make(name, [y], max_iter=3)

    def loss_of(optimizer):
        def closure():
            optimizer.zero_grad()
            loss = (x - 1.0).square().sum() + (y + x.sum()).square().sum()
            loss.backward()
            return loss

        return closure

    values = []
    for _ in range(6):
        values += [float(first.step(loss_of(first))), float(second.step(loss_of(second)))]
    assert values == sorted(values, reverse=True)


@search
def test_parameters_that_are_no_leaves_or_not_dense(name):
    x = torch.ones(3, requires_grad=True)
    with pytest.raises(ValueError, match="can't optimize a non-leaf"):
        make(name, [x * 2.0])
    with pytest.raises(TypeError, match="float64"):
        make(name, [torch.ones(2, dtype=torch.complex64, requires_grad=True)])
    with pytest.raises(ValueError, match="empty parameter list"):
        make(name, [])


@search
def test_memory_of_parameters_stays_theirs(name):
    """Views of a parameter, and the module that holds it, see each step."""
    params, optimizer, closure, _ = begin(name, max_iter=3)
    addresses = [p.data_ptr() for p in params]
    view = params[0].detach().t()
    optimizer.step(closure)
    assert [p.data_ptr() for p in params] == addresses
    assert torch.equal(view, params[0].detach().t())


@search
def test_parameters_of_any_layout(name):
    base = torch.arange(24.0, dtype=WIDE).reshape(4, 6) / 10
    views = [base.clone()[:, ::2].requires_grad_(), base.clone().t().requires_grad_()]
    dense = [v.detach().clone().contiguous().requires_grad_() for v in views]
    a, b = make(name, views, max_iter=4), make(name, dense, max_iter=4)
    for _ in range(2):
        a.step(quadratic(a, views))
        b.step(quadratic(b, dense))
    for v, d in zip(views, dense, strict=True):
        assert torch.allclose(v, d, rtol=1e-10)


@search
def test_a_description_names_the_options(name):
    optimizer = make(name, parameters(WIDE), max_iter=11)
    words = repr(optimizer)
    assert words.startswith(f"{name} (")
    assert "max_iter: 11" in words


@search
def test_a_step_warns_of_nothing(name):
    _, optimizer, closure, _ = begin(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step(closure)


@search
def test_a_profile_names_the_step(name):
    x = torch.tensor([-1.2, 1.0], dtype=WIDE, requires_grad=True)
    optimizer = make(name, [x])
    with torch.autograd.profiler.profile() as profile:
        optimizer.step(rosenbrock(optimizer, [x]))
    assert any(event.name == f"Optimizer.step#{name}.step" for event in profile.function_events)
