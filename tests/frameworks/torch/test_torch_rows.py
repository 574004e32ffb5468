"""Sparse gradients: only the rows that they have are stepped, as by torch.optim.SparseAdam."""

import copy
import io

import pytest
import torch
from torch_cases import UPDATE_IDS, UPDATES, make

import mdbopt.torch
from mdbopt.optimizers._rows import why_not_by_rows


def table(dtype=torch.float32, rows=20, width=6):
    torch.manual_seed(0)
    return torch.nn.Embedding(rows, width, sparse=True, dtype=dtype)


def backward(embedding, seed, extra=(), power=3):
    for param in (embedding.weight, *extra):
        param.grad = None
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(0, embedding.num_embeddings, (7,), generator=generator)
    loss = embedding(rows).pow(power).sum() + sum(param.pow(3).sum() for param in extra)
    loss.backward()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_sparse_adam(dtype):
    ours, theirs = table(dtype), table(dtype)
    # Its eps stands beside the root of v before its correction: too small a one to matter.
    optimizer = mdbopt.torch.Adam(ours.parameters(), lr=0.01, eps=1e-20)
    other = torch.optim.SparseAdam(list(theirs.parameters()), lr=0.01, eps=1e-20)
    for step in range(30):
        for embedding, each in ((ours, optimizer), (theirs, other)):
            backward(embedding, step, power=2)
            each.step()
    close = 1e-12 if dtype is torch.float64 else 1e-5
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=close, atol=close)
    for name in ("exp_avg", "exp_avg_sq"):
        mine, its = optimizer.state[ours.weight][name], other.state[theirs.weight][name]
        torch.testing.assert_close(mine, its, rtol=close, atol=close)
    loaded = mdbopt.torch.Adam(theirs.parameters(), lr=0.01)
    loaded.load_state_dict(
        other.state_dict() | {"param_groups": optimizer.state_dict()["param_groups"]}
    )
    backward(theirs, 50)
    loaded.step()


@pytest.mark.parametrize(("name", "options"), UPDATES, ids=UPDATE_IDS)
def test_rows_are_as_a_tensor_of_them(name, options):
    """The rows of all steps, sliced out and stepped with dense gradients, with no decay missed."""
    embedding, dense = table(), table()
    optimizer = make(name, embedding.parameters(), **options)
    kind = optimizer._optimizer_of(optimizer.param_groups[0])
    embedding(torch.arange(5, 12)).pow(3).sum().backward()
    if why_not_by_rows(kind):
        with pytest.raises(
            RuntimeError, match=f"{name}: gradient of parameter 0 of group 0: expected"
        ):
            optimizer.step()
        assert torch.equal(embedding.weight, dense.weight)
        return
    part = torch.nn.Parameter(dense.weight.detach()[5:12].clone())
    other = make(name, [part], **options)
    for _ in range(3):
        embedding.weight.grad = None
        embedding(torch.arange(5, 12)).pow(3).sum().backward()
        optimizer.step()
        part.grad = None
        part.pow(3).sum().backward()
        other.step()
    assert torch.equal(embedding.weight[5:12], part)
    assert torch.equal(embedding.weight[:5], dense.weight[:5])
    assert torch.equal(embedding.weight[12:], dense.weight[12:])


def test_missed_decay_is_made_up_for():
    embedding = table(torch.float64)
    before = embedding.weight.detach().clone()
    optimizer = mdbopt.torch.SGD(
        embedding.parameters(), lr=0.1, weight_decay=0.5, decoupled_weight_decay=True
    )
    for rows in ([1, 2], [2], [2, 3]):
        embedding.weight.grad = None
        (0.0 * embedding(torch.tensor(rows))).sum().backward()
        optimizer.step()
    powers = torch.tensor([1, 0.95, 0.95**3, 0.95**3], dtype=torch.float64)[:, None]
    torch.testing.assert_close(embedding.weight[:4], powers * before[:4])
    embedding.weight.grad = torch.zeros_like(before)
    optimizer.step()
    torch.testing.assert_close(embedding.weight, 0.95**4 * before)
    assert optimizer.state[embedding.weight]["row_t"].tolist() == [4] * 20


def test_beside_dense_parameters_under_one_norm():
    ours, theirs = table(torch.float64), table(torch.float64)
    extra = [torch.nn.Parameter(torch.ones(5, dtype=torch.float64)) for _ in range(2)]
    optimizer = mdbopt.torch.Adam([ours.weight, extra[0]], max_norm=0.1)
    other = mdbopt.torch.Adam([theirs.weight, extra[1]])
    for step in range(3):
        backward(ours, step, extra[:1]), backward(theirs, step, extra[1:])
        values = theirs.weight.grad.coalesce().values()
        norm = torch.cat([values.flatten(), extra[1].grad]).norm()
        theirs.weight.grad = theirs.weight.grad.coalesce() * (0.1 / (norm + 1e-6))
        extra[1].grad *= 0.1 / (norm + 1e-6)
        optimizer.step()
        other.step()
        assert optimizer.total_norm == pytest.approx(float(norm))
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(*extra)


def test_sparse_and_dense_take_turns():
    embedding, dense = table(), table()
    optimizer = mdbopt.torch.AdamW(embedding.parameters(), lr=0.01)
    other = mdbopt.torch.AdamW(dense.parameters(), lr=0.01)
    for step in range(6):
        for each in (embedding, dense):
            each.weight.grad = None
            each(torch.arange(20)).pow(3).sum().backward()
        if step % 2:
            embedding.weight.grad = embedding.weight.grad.to_dense()
        dense.weight.grad = dense.weight.grad.to_dense()
        optimizer.step()
        other.step()
    assert torch.equal(embedding.weight, dense.weight)


def test_codes_of_8_bits_are_never_stepped_by_rows():
    x = torch.nn.Parameter(torch.ones(5))
    optimizer = mdbopt.torch.AdamW([x], state_dtype="8bit")
    x.grad = torch.ones(5)
    optimizer.step()
    optimizer.state[x]["row_t"] = torch.tensor([0, 0, 1, 1, 1])
    before = x.detach().clone()
    with pytest.raises(ValueError, match="blocks of 256 elements, expected rows that lie apart"):
        optimizer.step()
    assert torch.equal(x, before)


@pytest.mark.parametrize("way", ["state_dict", "deepcopy"])
def test_saved_states_go_on(way):
    embedding = table()
    optimizer = mdbopt.torch.AdamW(embedding.parameters(), lr=0.01, weight_decay=0.1)
    for step in range(3):
        backward(embedding, step)
        optimizer.step()
    if way == "deepcopy":
        other, own = copy.deepcopy((embedding, optimizer))
    else:
        file = io.BytesIO()
        torch.save(optimizer.state_dict(), file)
        file.seek(0)
        other = copy.deepcopy(embedding)
        own = mdbopt.torch.AdamW(other.parameters())
        own.load_state_dict(torch.load(file))
    for each, stepped in ((embedding, optimizer), (other, own)):
        backward(each, 9)
        stepped.step()
    assert torch.equal(embedding.weight, other.weight)


def test_one_version_more():
    embedding = table()
    optimizer = mdbopt.torch.SGD(embedding.parameters(), lr=0.1)
    backward(embedding, 0)
    before = embedding.weight._version
    optimizer.step()
    assert embedding.weight._version == before + 1


def test_groups_take_sparse_gradients():
    ours, theirs, bias = table(), table(), [torch.nn.Parameter(torch.ones(3)) for _ in range(2)]
    optimizer = mdbopt.torch.Groups(
        [mdbopt.torch.Lion(ours.parameters(), lr=0.1), mdbopt.torch.AdamW([bias[0]])], max_norm=1e9
    )
    alone = [mdbopt.torch.Lion(theirs.parameters(), lr=0.1), mdbopt.torch.AdamW([bias[1]])]
    backward(ours, 1, bias[:1]), backward(theirs, 1, bias[1:])
    optimizer.step()
    for each in alone:
        each.step()
    assert torch.equal(ours.weight, theirs.weight)
    assert optimizer.total_norm > 0


def test_refused_gradients():
    embedding = table()
    optimizer = mdbopt.torch.AdamW(embedding.named_parameters())
    embedding.weight.grad = torch.eye(20, 6).to_sparse()
    with pytest.raises(
        RuntimeError, match="gradient of 'weight': expected a sparse gradient of who"
    ):
        optimizer.step()
    assert torch.equal(embedding.weight, table().weight)
