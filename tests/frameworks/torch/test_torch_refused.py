"""What is refused, in words, with nothing written."""

import pytest
import torch
from torch_cases import SEARCHES, make, parameters

import mdbopt.torch


@pytest.fixture(params=["AdamW", "SGD", *SEARCHES])
def name(request):
    return request.param


REFUSED = {
    "complex": (lambda: [torch.ones(2, dtype=torch.complex64)], TypeError, "dtype complex64"),
    "integers": (lambda: [torch.ones(2, dtype=torch.int64)], TypeError, "dtype int64"),
    "sparse": (lambda: [torch.eye(2).to_sparse()], TypeError, "layout torch.sparse_coo"),
    "no memory": (lambda: [torch.ones(2, device="meta")], TypeError, "device meta"),
    "one tensor": (lambda: torch.ones(2), TypeError, "iterable of Tensors"),
    "a set": (lambda: [{"params": {torch.ones(2)}}], TypeError, "ordered collections"),
    "a number": (lambda: [1.0], TypeError, "can only optimize Tensors"),
    "nothing": (list, ValueError, "empty parameter list"),
    "not a leaf": (lambda: [2 * torch.ones(2, requires_grad=True)], ValueError, "non-leaf"),
}


@pytest.mark.parametrize(("params", "kind", "text"), REFUSED.values(), ids=REFUSED)
def test_parameters_that_are_refused(name, params, kind, text):
    with pytest.raises(kind, match=text):
        make(name, params())


def test_a_parameter_given_twice(name):
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match=rf"{name}: 'b': is 'a' as well; expected each .* once"):
        make(name, [("a", x), ("b", x)])
    with pytest.raises(ValueError, match=rf"{name}: params\[1\]: is params\[0\] as well"):
        make(name, [x, x])


def test_a_parameter_in_two_groups():
    x = torch.ones(2, requires_grad=True)
    optimizer = make("AdamW", [x])
    with pytest.raises(ValueError, match="more than one parameter group"):
        optimizer.add_param_group({"params": [x]})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("name", ["AdaGrad", "Yogi"])
def test_what_float32_cannot_hold_is_no_start(name):
    x = torch.ones(2, requires_grad=True)
    x.grad = torch.ones(2)
    optimizer = make(name, [("w", x)], initial_accumulator_value=1e39)
    words = rf"^{name}: initial_accumulator_value: expected .* 1e\+38 for 'w' of dtype float32, got"
    with pytest.raises(ValueError, match=words):
        optimizer.step()
    assert torch.equal(x.detach(), torch.ones(2))
    wide = torch.ones(2, dtype=torch.float64, requires_grad=True)
    wide.grad = torch.ones(2, dtype=torch.float64)
    make(name, [wide], initial_accumulator_value=1e39).step()


def test_parameters_that_share_memory():
    whole = torch.ones(6)
    x, y = whole[:4].requires_grad_(), whole[2:].requires_grad_()
    optimizer = make("AdamW", [x, y])
    for p in (x, y):
        p.grad = torch.ones(4)
    with pytest.raises(ValueError, match="overlaps"):
        optimizer.step()
    assert torch.equal(whole.detach(), torch.ones(6))


@pytest.mark.parametrize("warm", [False, True], ids=["first", "later"])
def test_sparse_gradients(warm):
    embedding = torch.nn.Embedding(4, 2, sparse=True)
    dense = torch.ones(2, requires_grad=True)
    optimizer = make("LAMB", [("dense", dense), ("table", embedding.weight)])
    if warm:
        dense.grad, embedding.weight.grad = torch.ones(2), torch.ones(4, 2)
        optimizer.step()
        optimizer.zero_grad()
    before = embedding.weight.detach().clone(), dense.detach().clone()
    (embedding(torch.tensor([1])).sum() + dense.sum()).backward()
    with pytest.raises(RuntimeError, match="LAMB: gradient of 'table': expected a dense gradient"):
        optimizer.step()
    assert torch.equal(embedding.weight.detach(), before[0])
    assert torch.equal(dense.detach(), before[1])


def test_sparse_gradients_of_a_search():
    embedding = torch.nn.Embedding(4, 2, sparse=True)
    optimizer = make("Guarded", embedding.parameters())

    def closure():
        loss = embedding(torch.tensor([1])).square().sum()
        loss.backward()
        return loss

    with pytest.raises(RuntimeError, match="Guarded: expected dense gradients"):
        optimizer.step(closure)


OPTIONS = {
    "lr": (("AdamW", {"lr": -1.0}), ValueError, "AdamW: lr: expected a finite number >= 0"),
    "lr kind": (("AdamW", {"lr": "x"}), TypeError, "AdamW: lr: expected a number, got str"),
    "decay": (("SGD", {"weight_decay": -1.0}), ValueError, "SGD: weight_decay"),
    "betas": (("AdamW", {"betas": (0.9, 1.0)}), ValueError, "beta2: expected"),
    "one beta": (("AdamW", {"betas": (0.9,)}), ValueError, "AdamW: betas: expected two numbers"),
    "momentum": (("SGD", {"momentum": -0.1}), ValueError, "momentum"),
    "nesterov": (("SGD", {"nesterov": True}), ValueError, "nesterov"),
    "etas": (("Rprop", {"etas": (1.2, 0.5)}), ValueError, "etas"),
    "max_norm": (("AdamW", {"max_norm": 0.0}), ValueError, "AdamW: max_norm"),
    "unknown": (("AdamW", {"beta1": 0.9}), TypeError, "AdamW: unknown option 'beta1'"),
    "backend": (("AdamW", {"backend": "gpu"}), ValueError, "backend"),
    "reducer": (("AdamW", {"reducer": 3}), TypeError, "AdamW: reducer: expected a callable"),
    "reducer of a search": (("Guarded", {"reducer": 3}), TypeError, "Guarded: reducer: expected"),
    "max_iter": (("Guarded", {"max_iter": 0}), ValueError, "Guarded: max_iter"),
    "groups": (("Box", {"groups": "layer"}), ValueError, "Box: groups"),
    "memory": (("Guarded", {"memory": 0}), ValueError, "memory"),
    "tolerance": (("Guarded", {"tolerance_grad": -1.0}), ValueError, "Guarded: tolerance_grad"),
}


@pytest.mark.parametrize(("given", "kind", "text"), OPTIONS.values(), ids=OPTIONS)
def test_options_out_of_their_range(given, kind, text):
    with pytest.raises(kind, match=text):
        make(given[0], parameters(), **given[1])


def test_an_option_of_a_group_out_of_its_range():
    params = parameters()
    optimizer = make("AdamW", params[:1])
    with pytest.raises(ValueError, match="AdamW: lr"):
        optimizer.add_param_group({"params": params[1:], "lr": -1.0})
    assert len(optimizer.param_groups) == 1
    before = params[0].detach().clone()
    optimizer.param_groups[0]["lr"] = -1.0
    params[0].grad = torch.ones_like(params[0])
    with pytest.raises(ValueError, match="AdamW: lr"):
        optimizer.step()
    assert torch.equal(params[0].detach(), before)


def test_nothing_is_written_when_a_later_group_is_refused():
    params = parameters()
    optimizer = make(
        "SGD", [{"params": params[:2]}, {"params": params[2:], "momentum": 0.5}], lr=0.1
    )
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer.step()
    before = [p.detach().clone() for p in params]
    optimizer.state[params[3]]["momentum_buffer"] = torch.zeros(3)
    with pytest.raises(ValueError, match="shape"):
        optimizer.step()
    assert all(torch.equal(p.detach(), q) for p, q in zip(params, before, strict=True))
    assert float(optimizer.state[params[0]]["step"]) == 1.0


def test_searches_take_one_group_of_one_dtype():
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="Guarded: param_groups: expected one group"):
        make("Guarded", [{"params": [x]}, {"params": [y]}])
    with pytest.raises(
        TypeError, match=r"params\[1\]: has dtype torch.float64, expected torch.float32"
    ):
        make("Guarded", [x, torch.ones(2, dtype=torch.float64, requires_grad=True)])
    with pytest.raises(TypeError, match="has dtype bfloat16, expected one of float64, float32"):
        make("Guarded", [torch.ones(2, dtype=torch.bfloat16, requires_grad=True)])


NET = torch.nn.Linear(2, 1)


@pytest.mark.parametrize(
    "given", [NET, list(NET.parameters()), NET.parameters(), dict(NET.named_parameters())]
)
def test_minimize_names_the_search_for_parameters(given):
    with pytest.raises(TypeError) as caught:
        mdbopt.minimize(lambda x: (0.0, x), given, jac=True)
    assert str(caught.value).startswith("x0: expected an array of real numbers, got ")
    way = "mdbopt.torch.Guarded(list(model.parameters()))"
    assert way in str(caught.value)
    assert "\n" not in str(caught.value)
    assert eval(way, {"mdbopt": mdbopt, "model": NET}).param_groups
