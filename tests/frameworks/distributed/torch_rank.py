"""What one of four processes with PyTorch's DTensors does: ``python torch_rank.py FOLDER``."""

import copy
import math
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor

import mdbopt.torch
from mdbopt.distributed import Reducer

WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)

# Cut over 1, 2 or 4 processes, each piece begins at a multiple of 1024 elements of its array.
ALIGNED = ((4096,), (8, 512))
# The last pieces are shorter, or empty.
UNEVEN = ((7, 5), (2,), (1, 3))
STEPS = 5

UPDATES = [
    ("AdamW", {"lr": 0.05, "max_norm": 0.5}),
    ("AdamW", {"lr": 0.05, "max_norm": 1e6}),
    ("AdamW", {"lr": 0.05}),
    ("NAdam", {"lr": 0.05, "max_norm": 0.5}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "max_norm": 0.5}),
    ("NormalizedGD", {"lr": 0.05, "momentum": 0.5}),
    ("AdaGradNorm", {"lr": 0.5}),
    ("HypergradientSGD", {"lr": 0.01}),
    ("HypergradientAdam", {"lr": 0.01}),
    ("DiagonalHypergradient", {"lr": 0.01, "mode": "weights"}),
    ("OSGM", {"lr": 0.01}),
]
EIGHT, NEAREST = {"lr": 0.05, "state_dtype": "8bit"}, {"state_rounding": "nearest"}
STORED = [
    ("AdamW", {**EIGHT, **NEAREST}),
    ("AdamW", {**EIGHT, **NEAREST, "max_norm": 0.5}),
    ("AMSGrad", {"lr": 0.05, "state_dtype": "bfloat16", **NEAREST}),
]
FINISH = {"max_update": 0.5, "l1": 0.01, "average": 0.9}
HELD_BACK = {"cautious": "mask", "cautious_weight_decay": True, "weight_decay": 0.4}
FINISHED = [
    ("AdamW", {"lr": 0.05, "max_norm": 0.5, **FINISH}),
    ("LaProp", {"lr": 0.05, **HELD_BACK, **FINISH}),
    ("NAdam", {"lr": 0.05, "decoupled_weight_decay": True, **HELD_BACK}),
    ("NormalizedGD", {"lr": 0.05, "momentum": 0.5, **FINISH}),
    ("NovoGrad", {"lr": 0.05, **FINISH}),
]
BY_REDUCER = [(UPDATES[0], False), (UPDATES[0], True), (FINISHED[0], False)]
SEARCHES = ["Guarded", "Box", "Ellipsoid", "Simplex", "Backtracking"]
# What a search is asked for besides, by the name of its case.
VARIANTS = {
    "Box by tensor": {"groups": "tensor"},
    "Guarded within": {"bounds": (-1.0, 0.5), "l1": 0.05},
}


def starts(shapes, dtype=torch.float32):
    drawn = torch.Generator().manual_seed(0)
    return [torch.randn(s, generator=drawn, dtype=torch.float64).to(dtype) for s in shapes]


def curvatures(param):
    return torch.linspace(0.1, 2.0, param.numel(), dtype=param.dtype).view(param.shape)


def whole_gradients(wholes, t):
    """Give the gradients of a noisy quadratic at whole tensors."""
    drawn = torch.Generator().manual_seed(t)
    noise = [torch.randn(w.shape, generator=drawn, dtype=w.dtype) for w in wholes]
    return [curvatures(w) * w + 0.1 * e for w, e in zip(wholes, noise, strict=True)]


def cut(tensor, mesh, placements):
    return distribute_tensor(tensor, mesh, placements)


def whole_of(tensor):
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach().clone()


def two_groups(params):
    """Sort parameters into groups that take a call of the core each."""
    return [{"params": params[:1], "betas": (0.8, 0.9)}, {"params": params[1:]}]


def stepped(name, options, params, *, grouped=False):
    """Take steps along gradients of the whole; give the optimizer."""
    optimizer = getattr(mdbopt.torch, name)(two_groups(params) if grouped else params, **options)
    for t in range(STEPS):
        with torch.no_grad():
            gradients = whole_gradients([whole_of(p) for p in params], t)
        for p, g in zip(params, gradients, strict=True):
            if isinstance(p, DTensor):
                g = cut(g, p.device_mesh, p.placements)
            p.grad = g
        optimizer.step()
    return optimizer


def updates(shapes, mesh, placements, cases=UPDATES, **how):
    """Take each optimizer's steps on DTensors; give all it ends with, whole."""
    told = []
    for name, options in cases:
        params = [
            cut(whole, mesh, placed).requires_grad_()
            for whole, placed in zip(starts(shapes), placements, strict=True)
        ]
        optimizer = stepped(name, options, params, **how)
        states = [
            {key: whole_of(value) for key, value in optimizer.state[p].items()} for p in params
        ]
        numbers = {k: v for k, v in optimizer.param_groups[0].items() if k in ("alpha", "value")}
        told.append(
            {
                "params": [whole_of(p) for p in params],
                "states": states,
                "numbers": numbers,
                "norm": optimizer.total_norm,
            }
        )
    return told


def master_of(param, low):
    """Give the float32 numbers that a bfloat16 tensor and its low bits make up."""
    high = param.detach().view(torch.int16).to(torch.int32) << 16
    return (high + low.view(torch.int16).to(torch.int32)).view(torch.float32)


def with_low_bits(place):
    """Step bfloat16 parameters whose state keeps low bits; give their float32 numbers, whole."""
    params = [place(whole).requires_grad_() for whole in starts(ALIGNED, torch.bfloat16)]
    optimizer = stepped("AdamW", {**EIGHT, **NEAREST, "master": "remainder"}, params)
    masters = []
    for p in params:
        low = optimizer.state[p]["low"]
        if isinstance(p, DTensor):
            piece = master_of(p.to_local(), low.to_local())
            masters.append(whole_of(DTensor.from_local(piece, p.device_mesh, p.placements)))
        else:
            masters.append(master_of(p, low))
    return masters


def reloaded(place):
    """Step with states in 8 bits, and load them into an optimizer that keeps float32."""
    params = [place(whole).requires_grad_() for whole in starts(ALIGNED)]
    saved = stepped("AdamW", {**EIGHT, **NEAREST}, params).state_dict()
    plain = mdbopt.torch.AdamW(params, lr=0.05)
    plain.load_state_dict(copy.deepcopy(saved))
    return [whole_of(plain.state[p]["exp_avg"]) for p in params]


def averaged(place):
    """Show the average of bfloat16 parameters, save it so, and go on from both; give all whole."""
    params = [place(whole).requires_grad_() for whole in starts(ALIGNED, torch.bfloat16)]
    options = {"lr": 0.05, **HELD_BACK, **FINISH}
    optimizer = stepped("LaProp", options, params)
    told = {"stepped": list(map(whole_of, params))}
    optimizer.eval()
    told["shown"] = list(map(whole_of, params))
    told["kept"] = [whole_of(optimizer.state[p]["parameters"]) for p in params]
    told["refused"] = words(optimizer.step)
    twins = [p.detach().clone().requires_grad_() for p in params]
    twin = mdbopt.torch.LaProp(twins, **options)
    twin.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for one, own, name in ((optimizer, params, "back"), (twin, twins, "loaded")):
        one.train()
        told[name] = list(map(whole_of, own))
        for p in own:
            p.grad = p.detach().clone()
        one.step()
        told[f"{name}, stepped"] = list(map(whole_of, own))
    return told


def by_reducer():
    """Take steps on plain tensors that are pieces."""
    told = []
    reducer = Reducer.torch()
    sizes = [math.prod(shape) for shape in ALIGNED]
    for (name, options), grouped in BY_REDUCER:
        params = [
            whole.view(-1)[reducer.piece(size)].clone().requires_grad_()
            for whole, size in zip(starts(ALIGNED), sizes, strict=True)
        ]
        optimizer = getattr(mdbopt.torch, name)(
            two_groups(params) if grouped else params, **options, reducer=reducer
        )
        for t in range(STEPS):
            wholes = []
            for p, size in zip(params, sizes, strict=True):
                padded = torch.zeros(size)
                padded[reducer.piece(size)] = p.detach()
                dist.all_reduce(padded)
                wholes.append(padded)
            shaped = [w.view(s) for w, s in zip(wholes, ALIGNED, strict=True)]
            for p, g in zip(params, whole_gradients(shaped, t), strict=True):
                p.grad = g.reshape(-1)[reducer.piece(g.numel())]
            optimizer.step()
        told.append({"params": [p.detach() for p in params], "norm": optimizer.total_norm})
    return told


def closure_of(optimizer, params):
    """Make the closure of a function with curved valleys of all elements."""

    def closure():
        optimizer.zero_grad()
        wholes = [p.full_tensor() if isinstance(p, DTensor) else p for p in params]
        loss = sum((curvatures(w) * ((1.0 + w.square()).sqrt() - 1.0)).sum() for w in wholes)
        loss.backward()
        return loss

    return closure


def search_case(name, shapes, place, **options):
    """Search on; give what comes out."""
    sides = options.get("bounds", (-math.inf, math.inf))
    wholes = [whole.clamp(*sides) for whole in starts(shapes, torch.float64)]
    params = [place(whole).requires_grad_() for whole in wholes]
    optimizer = getattr(mdbopt.torch, name)(params, max_iter=3, **options)
    losses = [float(optimizer.step(closure_of(optimizer, params))) for _ in range(3)]
    entry = dict(optimizer.state[params[0]])
    again = getattr(mdbopt.torch, name)(params, max_iter=3, **options)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    losses.append(float(again.step(closure_of(again, params))))
    # One process alone sees that its piece is another; all of them begin anew.
    cut_up = isinstance(params[0], DTensor)
    if not cut_up or dist.get_rank() == dist.get_world_size() - 1:
        piece = params[0].to_local() if cut_up else params[0].chunk(4)[-1]
        piece.detach().mul_(0.5)
    losses.append(float(again.step(closure_of(again, params))))
    return {"losses": losses, "entry": entry, "params": [whole_of(p) for p in params]}


def searches(shapes, mesh):
    place = lambda whole: cut(whole, mesh, [Shard(0)])  # noqa: E731
    told = {name: search_case(name, shapes, place) for name in SEARCHES}
    for case, options in VARIANTS.items():
        told[case] = search_case(case.split()[0], shapes, place, **options)
    return told


def network(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 3)
    ).double()


def batch(t):
    drawn = torch.Generator().manual_seed(t)
    x = torch.randn(8, 5, generator=drawn, dtype=torch.float64)
    return x, x[:, :3].square()


def own_rows(tensor):
    """Give this process's rows of a batch, as many for each."""
    return tensor.chunk(dist.get_world_size())[dist.get_rank()] if dist.is_initialized() else tensor


def train(model, optimizer, first, last):
    for t in range(first, last):
        x, y = batch(t)
        optimizer.zero_grad()
        (model(own_rows(x)) - own_rows(y)).square().mean().backward()
        optimizer.step()


def adam_of(model, **options):
    return mdbopt.torch.AdamW(model.parameters(), lr=0.01, max_norm=0.1, **options)


def sharded_network(mesh):
    model = network()
    fully_shard(model[0], mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


def averaged_network(model):
    """Train, show the average, and go on."""
    optimizer = adam_of(model, **FINISH)
    train(model, optimizer, 0, 6)
    optimizer.eval()
    shown = [whole_of(p) for p in model.parameters()]
    optimizer.train()
    train(model, optimizer, 6, 9)
    return shown, [whole_of(p) for p in model.parameters()]


def fsdp(mesh):
    """Train an FSDP2 model, save its optimizer whole, and go on with one that has read that."""
    model = sharded_network(mesh)
    optimizer = adam_of(model, average=0.9)
    train(model, optimizer, 0, 6)
    first = next(model.parameters())
    kinds = {name: type(value).__name__ for name, value in optimizer.state[first].items()}
    saved = get_optimizer_state_dict(model, optimizer, options=WHOLE)
    saved = copy.deepcopy(saved if saved else {})
    shared = [saved] if dist.get_rank() == 0 else [None]
    dist.broadcast_object_list(shared)  # only the first process is given the whole state
    optimizer.zero_grad()  # where there are gradients, no state is begun to be loaded
    fresh = adam_of(model, average=0.9)
    set_optimizer_state_dict(model, fresh, shared[0], options=WHOLE)
    before = first._version
    train(model, fresh, 6, 12)
    return {
        "kinds": kinds,
        "saved": shared[0]["state"],
        "versions": first._version - before,
        "params": [whole_of(p) for p in model.parameters()],
        "norm": fresh.total_norm,
    }


def ddp():
    model = network()
    wrapped = torch.nn.parallel.DistributedDataParallel(model)
    train(wrapped, adam_of(model), 0, 12)
    return [p.detach().clone() for p in model.parameters()]


def skipped(mesh):
    """Skip a step where one process has found inf, and unscale another."""
    param = cut(torch.ones(4), mesh, [Shard(0)]).requires_grad_()
    optimizer = mdbopt.torch.AdamW([param], lr=0.1, max_norm=100.0)
    param.grad = cut(torch.full((4,), 8.0), mesh, [Shard(0)])
    optimizer.grad_scale = torch.tensor(4.0)
    optimizer.found_inf = torch.tensor(float(dist.get_rank() == dist.get_world_size() - 1))
    optimizer.step()
    first = whole_of(param), optimizer.total_norm
    optimizer.found_inf = torch.tensor(0.0)
    optimizer.step()
    return {"skipped": first, "norm": optimizer.total_norm, "moved": whole_of(param)}


def words(call):
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def refused(mesh):
    last = dist.get_rank() == dist.get_world_size() - 1
    told = {}
    shard, whole = cut(torch.ones(4), mesh, [Shard(0)]), cut(torch.ones(4), mesh, [Replicate()])
    partial = DTensor.from_local(torch.ones(2), mesh, [Partial()])
    for name in ("AdamW", "Guarded"):
        make = getattr(mdbopt.torch, name)
        told[f"mixed {name}"] = words(lambda make=make: make([shard, torch.ones(3)]))
        told[f"partial {name}"] = words(lambda make=make: make([shard, partial]))
    told["some whole"] = words(lambda: mdbopt.torch.Guarded([shard, whole]))
    told["reducer of some"] = words(
        lambda: mdbopt.torch.AdamW([shard, whole], reducer=Reducer.torch())
    )

    def of_some_whole(name):
        optimizer = getattr(mdbopt.torch, name)([shard, whole])
        shard.grad, whole.grad = shard.clone(), whole.clone()
        optimizer.step()

    for name in ("NormalizedGD", "OSGM"):
        told[f"sums of some: {name}"] = words(lambda name=name: of_some_whole(name))

    for name, shape, placement in (
        ("rows", (7, 512), 0),
        ("elements", (4, 65), 0),
        ("columns", (8, 512), 1),
    ):
        uneven = cut(torch.ones(shape), mesh, [Shard(placement)])
        told[f"codes of {name}"] = words(
            lambda uneven=uneven: mdbopt.torch.AdamW([uneven], state_dtype="8bit")
        )

    def other_group():
        optimizer = mdbopt.torch.AdamW([shard])
        told["groups"] = words(lambda: optimizer.add_param_group({"params": [torch.ones(2)]}))
        return len(optimizer.param_groups)

    told["groups left"] = other_group()

    def plain_state():
        param = cut(torch.ones(4), mesh, [Shard(0)]).requires_grad_()
        param.grad = param.detach().clone()
        optimizer = mdbopt.torch.AdamW([("w", param)])
        optimizer.step()
        optimizer.state[param]["exp_avg"] = torch.zeros(4)
        optimizer.step()

    told["plain state"] = words(plain_state)

    def disagreeing():
        param = cut(torch.ones(4), mesh, [Shard(0)]).requires_grad_()
        param.grad = param.detach().clone()
        mdbopt.torch.AdamW([param], max_norm=1.0, eps=1e-3 if last else 1e-8).step()

    told["disagreeing"] = words(disagreeing)

    def raising(call):
        param = cut(torch.ones(4), mesh, [Shard(0)]).requires_grad_()
        search, calls = mdbopt.torch.Guarded([param]), []

        def closure():
            calls.append(None)
            loss = closure_of(search, [param])()
            if last and len(calls) == call:  # the others have left the loss, too
                raise KeyError("lost")
            return loss

        search.step(closure)

    told["raising"] = words(lambda: raising(3))
    told["raising first"] = words(lambda: raising(1))

    def other_loss():
        param = cut(torch.ones(4), mesh, [Shard(0)]).requires_grad_()
        search = mdbopt.torch.Guarded([param])
        search.step(lambda: closure_of(search, [param])() + float(last))

    told["other loss"] = words(other_loss)

    def sparse():
        reducer = Reducer.torch()
        param = torch.ones(4, 2, requires_grad=True)
        optimizer = mdbopt.torch.AdamW([param], max_norm=1.0, reducer=reducer)
        param.grad = torch.ones(4, 2)
        optimizer.step()
        param.grad = torch.eye(4, 2).to_sparse() if last else torch.ones(4, 2)
        optimizer.step()

    told["sparse"] = words(sparse)
    return told


def main():
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    dist.init_process_group("gloo", timeout=timedelta(seconds=30))
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    told = {
        "aligned": updates(ALIGNED, mesh, [[Shard(0)]] * 2),
        "uneven": updates(UNEVEN, mesh, [[Shard(0)]] * 3),
        "by columns": updates(UNEVEN, mesh, [[Shard(1)], [Shard(0)], [Shard(1)]], UPDATES[:6]),
        "grouped": updates(ALIGNED, mesh, [[Shard(0)]] * 2, UPDATES[:1], grouped=True),
        "some whole": updates(ALIGNED, mesh, [[Shard(0)], [Replicate()]], UPDATES[:5]),
        "all whole": updates(ALIGNED, mesh, [[Replicate()]] * 2, UPDATES[:6]),
        "by reducer": by_reducer(),
        "searches of one": searches(ALIGNED[:1], mesh),
        "searches uneven": searches(UNEVEN, mesh),
        "fsdp": fsdp(mesh),
        "fsdp, averaged": averaged_network(sharded_network(mesh)),
        "ddp": ddp(),
        "skipped": skipped(mesh),
        "refused": refused(mesh),
    }
    square = init_device_mesh("cpu", (2, 2), mesh_dim_names=("replicate", "shard"))
    told["square"] = updates(ALIGNED, square, [[Replicate(), Shard(0)]] * 2, UPDATES[:6])
    told["both cut"] = updates(ALIGNED, square, [[Shard(0), Shard(0)]] * 2, UPDATES[:6])
    placed = [[Shard(0), Shard(0)], [Shard(0), Replicate()]]
    told["stored"] = updates(ALIGNED, mesh, [[Shard(0)]] * 2, STORED)
    told["stored, replicated"] = updates(ALIGNED, square, [[Replicate(), Shard(0)]] * 2, STORED)
    told["stored at random"] = updates(ALIGNED[:1], mesh, [[Shard(0)]], [("AdamW", EIGHT)])
    place = lambda whole: cut(whole, mesh, [Shard(0)])  # noqa: E731
    told["low bits"], told["reloaded"] = with_low_bits(place), reloaded(place)
    told["finished"] = updates(ALIGNED, mesh, [[Shard(0)]] * 2, FINISHED)
    told["finished, replicated"] = updates(ALIGNED, square, [[Replicate(), Shard(0)]] * 2, FINISHED)
    told["finished, uneven"] = updates(UNEVEN, mesh, [[Shard(0)]] * 3, FINISHED)
    told["finished, some whole"] = updates(ALIGNED, mesh, [[Shard(0)], [Replicate()]], FINISHED[:3])
    told["averaged"] = averaged(place)
    told["cut apart"] = updates(ALIGNED, square, placed, UPDATES[:5])
    torch.save(told, folder / f"told-{dist.get_rank()}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
