"""Groups, options, step sizes and their schedules, gradients that are missing."""

import pytest
import torch
from torch.optim import lr_scheduler
from torch_cases import SHAPES, UPDATE_IDS, UPDATES, give_gradients, make, parameters, same, steps

import mdbopt
from mdbopt.torch._plan import Call, Plan

updates = pytest.mark.parametrize(("name", "options"), UPDATES, ids=UPDATE_IDS)
# Their steps depend on all parameters at once.
TOGETHER = {"NormalizedGD", "AdaGradNorm", "HypergradientSGD", "HypergradientAdam", "OSGM"}
TOGETHER |= {"DoG", "DoWG", "Prodigy"}


def calls_of(optimizer, params, monkeypatch):
    """Count the calls of the core in a step that is already planned."""
    steps(optimizer, params, 0, 1)
    calls, alone = [], []
    step, step_alone = Call.step, Plan.step_alone

    def taken_alone(*given):
        taken = step_alone(*given)
        alone.append(taken is not None)
        return taken

    monkeypatch.setattr(Call, "step", lambda *given: calls.append(given) or step(*given))
    monkeypatch.setattr(Plan, "step_alone", taken_alone)
    steps(optimizer, params, 1, 2)
    return sum(alone) + len([given for given in calls if not given[3]])


def steps_together(name, options):
    return name in TOGETHER or options.get("mode") == "weights" or "scale" in options


@updates
def test_one_call_is_a_loop_over_tensors(name, options):
    if steps_together(name, options):
        pytest.skip("its step depends on all parameters at once")
    params, others = parameters(), parameters()
    optimizer = make(name, params, **options)
    each = [make(name, [p], **options) for p in others]
    for t in range(5):
        give_gradients(params, t)
        give_gradients(others, t)
        optimizer.step()
        for one in each:
            one.step()
    assert same(params, others)


@updates
def test_groups_are_as_optimizers_of_their_own(name, options):
    if steps_together(name, options):
        pytest.skip("its step depends on all parameters at once")
    params, others = parameters(), parameters()
    changed = {**options, "lr": 0.02, "weight_decay": 0.2}
    optimizer = make(name, [{"params": params[:2]}, {"params": params[2:], **changed}], **options)
    each = [make(name, others[:2], **options), make(name, others[2:], **changed)]
    for t in range(5):
        give_gradients(params, t)
        give_gradients(others, t)
        optimizer.step()
        for one in each:
            one.step()
    assert same(params, others)


def test_groups_that_differ_in_lr_and_decay_take_one_call(monkeypatch):
    params = parameters()
    groups = [
        {"params": [p], "lr": 0.1 * k, "weight_decay": 0.01 * k} for k, p in enumerate(params)
    ]
    assert calls_of(make("AdamW", groups), params, monkeypatch) == 1
    groups = [{"params": params[:2]}, {"params": params[2:], "betas": (0.5, 0.9)}]
    assert calls_of(make("AdamW", groups), params, monkeypatch) == 2


@updates
@pytest.mark.parametrize("lr", [0.0, -0.0])
def test_lr_zero_moves_nothing(name, options, lr):
    if options.get("mode") == "additive":
        pytest.skip("its step sizes are multiples of lr")
    if "decay" in options:
        pytest.skip("its decay is relative to lr")
    if (options.get("momentum", 0.0) > 0.0 and "heavy_ball" in options) or name == "Rprop":
        pytest.skip("lr is not a factor of all of its steps")
    params = parameters()
    before = [p.detach().clone() for p in params]
    optimizer = make(name, params, **{**options, "lr": lr})
    steps(optimizer, params, 0, 3)
    assert same(params, before)


@updates
def test_zero_gradients(name, options):
    params = parameters()
    optimizer = make(name, params, **{**options, "weight_decay": 0.0})
    before = [p.detach().clone() for p in params]
    for p in params:
        p.grad = torch.zeros_like(p)
    for _ in range(3):
        optimizer.step()
    assert same(params, before)


@updates
def test_parameters_without_gradients_stay_and_do_not_count(name, options):
    params = parameters()
    optimizer = make(name, params, **options)
    before = [p.detach().clone() for p in params]
    optimizer.step()
    assert same(params, before)
    assert not optimizer.state
    for t in range(4):
        give_gradients(params, t)
        params[1].grad = None
        if t == 2:
            params[0].grad = None
        optimizer.step()
    assert torch.equal(params[1].detach(), before[1])
    assert [float(optimizer.state[params[k]]["step"]) for k in (0, 2, 3)] == [3.0, 4.0, 4.0]
    assert params[1] not in optimizer.state


def test_counts_of_each_parameter_are_torchs():
    params, others = parameters(torch.float64), parameters(torch.float64)
    ours, theirs = make("Adam", params, lr=0.1), torch.optim.Adam(others, lr=0.1)
    for t in range(12):
        for p in (params, others):
            give_gradients(p, t)
            p[t % 3].grad = None
        ours.step()
        theirs.step()
    for p, q in zip(params, others, strict=True):
        assert torch.allclose(p, q, rtol=1e-13, atol=1e-13)
        assert float(ours.state[p]["step"]) == float(theirs.state[q]["step"])


def test_named_parameters():
    model = torch.nn.Linear(3, 2)
    optimizer = make("AdamW", model.named_parameters())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    with pytest.raises(ValueError, match="with/without names"):
        optimizer.add_param_group({"params": [torch.ones(1, requires_grad=True)]})


def test_a_group_that_comes_later():
    params, others = parameters(), parameters()
    optimizer = make("Adam", params[:2], lr=0.1)
    steps(optimizer, params[:2], 0, 2)
    optimizer.add_param_group({"params": params[2:], "lr": 0.2})
    each = [make("Adam", others[:2], lr=0.1), make("Adam", others[2:], lr=0.2)]
    steps(each[0], others[:2], 0, 2)
    for t in (2, 3):
        give_gradients(params, t)
        give_gradients(others, t)
        for one in (optimizer, *each):
            one.step()
    assert same(params, others)


@pytest.mark.parametrize("name", ["SGD", "AdamW", "Lion", "Rprop", "HypergradientSGD"])
def test_a_group_of_one_tensor(name):
    x = torch.ones(3, requires_grad=True)
    optimizer = make(name, [{"params": x, "lr": 0.01}])
    x.grad = torch.ones(3)
    optimizer.step()
    assert bool((x < 1.0).all())


def test_lr_as_a_tensor():
    params, others = parameters(), parameters()
    lr = torch.tensor(0.1, dtype=torch.float64)
    a, b = make("AdamW", params, lr=lr), make("AdamW", others, lr=0.1)
    for t in range(4):
        if t == 2:
            lr.fill_(0.01)
            b.param_groups[0]["lr"] = 0.01
        for o, p in ((a, params), (b, others)):
            steps(o, p, t, t + 1)
    assert same(params, others)
    with pytest.raises(ValueError, match="AdamW: lr: expected one number"):
        make("AdamW", params, lr=torch.ones(2))


def test_betas_as_tensors_are_read_in_each_step():
    params, others = parameters(), parameters()
    beta = torch.tensor(0.9, dtype=torch.float64)
    a = make("Adam", params, betas=(beta, torch.tensor(0.999, dtype=torch.float64)))
    b = make("Adam", others)
    for t in range(4):
        if t == 2:
            beta.fill_(0.5)
            b.param_groups[0]["betas"] = (0.5, 0.999)
        for o, p in ((a, params), (b, others)):
            steps(o, p, t, t + 1)
    assert same(params, others)


SCHEDULES = {
    "step": lambda o: [lr_scheduler.StepLR(o, 2, 0.5)],
    "cosine": lambda o: [lr_scheduler.CosineAnnealingLR(o, 5)],
    "chain": lambda o: [lr_scheduler.StepLR(o, 3, 0.3), lr_scheduler.ExponentialLR(o, 0.9)],
    "sequence": lambda o: [
        lr_scheduler.SequentialLR(
            o, [lr_scheduler.LinearLR(o, 0.1, 1.0, 3), lr_scheduler.ExponentialLR(o, 0.8)], [3]
        )
    ],
    "one cycle": lambda o: [lr_scheduler.OneCycleLR(o, 0.1, total_steps=12)],
}


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("tensor", [False, True], ids=["number", "tensor"])
def test_schedules(schedule, tensor):
    params, others = parameters(torch.float64), parameters(torch.float64)
    lr = torch.tensor(0.05, dtype=torch.float64) if tensor else 0.05
    ours, theirs = make("AdamW", params, lr=lr), torch.optim.AdamW(others, lr=0.05)
    a, b = schedule(ours), schedule(theirs)
    for t in range(10):
        steps(ours, params, t, t + 1)
        steps(theirs, others, t, t + 1)
        for each in (*a, *b):
            each.step()
        assert float(ours.param_groups[0]["lr"]) == pytest.approx(theirs.param_groups[0]["lr"])
    for p, q in zip(params, others, strict=True):
        assert torch.allclose(p, q, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("groups", [1, 3])
def test_max_norm_is_clip_grad_norm(groups):
    params, others = parameters(torch.float64), parameters(torch.float64)
    # Groups of different hyperparameters, so that there are several calls.
    split = [params] if groups == 1 else [params[:1], params[1:3], params[3:]]
    options = [{"params": p, "betas": (0.9 - 0.1 * k, 0.99)} for k, p in enumerate(split)]
    ours = make("AdamW", options, lr=0.05, max_norm=1.0)
    split = [others] if groups == 1 else [others[:1], others[1:3], others[3:]]
    options = [{"params": p, "betas": (0.9 - 0.1 * k, 0.99)} for k, p in enumerate(split)]
    theirs = torch.optim.AdamW(options, lr=0.05)
    for t in range(6):
        give_gradients(params, t)
        give_gradients(others, t)
        norm = torch.nn.utils.clip_grad_norm_(others, 1.0)
        ours.step()
        theirs.step()
        assert float(ours.total_norm) == pytest.approx(float(norm), rel=1e-6)
    for p, q in zip(params, others, strict=True):
        assert torch.allclose(p, q, rtol=1e-6, atol=1e-7)


def test_learned_numbers_are_the_groups():
    params, others = parameters(), parameters()
    optimizer = make("HypergradientSGD", [{"params": params[:2]}, {"params": params[2:]}], lr=0.01)
    core = mdbopt.HypergradientSGD(lr=0.01)
    state = core.init(others)
    for t in range(5):
        give_gradients(params, t)
        give_gradients(others, t)
        optimizer.step()
        core.step(others, [p.grad for p in others], state)
    assert same(params, others)
    assert [group["alpha"] for group in optimizer.param_groups] == [state.alpha] * 2
    optimizer.param_groups[0]["alpha"] = 0.0
    before = [p.detach().clone() for p in params]
    optimizer.step()
    assert same(params, before)


def test_adagrad_norm_sums_over_all_groups():
    params = parameters(shapes=SHAPES[:2])
    optimizer = make("AdaGradNorm", [{"params": [p]} for p in params])
    give_gradients(params, 0)
    total = sum(float((p.grad.double() ** 2).sum()) for p in params)
    optimizer.step()
    assert optimizer.param_groups[1]["sum_of_squares"] == pytest.approx(total)


def test_the_flags_of_implementations_are_taken():
    params = parameters()
    for flag in ("foreach", "fused", "capturable"):
        make("AdamW", params, **{flag: True})
    with pytest.raises(ValueError, match="AdamW: differentiable: expected False"):
        make("AdamW", params, differentiable=True)
    with pytest.raises(TypeError, match="AdamW: fused: expected a bool or None, got str"):
        make("AdamW", params, fused="yes")


def test_threads_give_the_same_bits():
    results = []
    for threads in (1, 2):
        params = parameters(shapes=((300, 300), (7,)))
        optimizer = make("AdamW", params, threads=threads)
        steps(optimizer, params, 0, 2)
        results.append(params)
    assert same(*results)
