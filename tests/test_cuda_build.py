"""What the CUDA sources promise, seen without a GPU: rules written once, IEEE code, wide loads."""

import re
import shutil
import subprocess

import pytest
from test_build import CSRC, ROOT, includes

import mdbopt

CUDA = ROOT / "cuda"
# Approximations, and what rounds once where the CPU rounds twice.
FORBIDDEN = re.compile(
    r"\b(?:div|sqrt|rcp|rsqrt|ex2|lg2|sin|cos|tanh)\.(?:approx|full)\S*|\bfma\.\S+|\S+\.ftz\S*"
)


def sources():
    found = [p for p in sorted(CUDA.iterdir()) if p.suffix in (".cu", ".cuh", ".h", ".cpp")]
    if not found:
        pytest.skip("no cuda/ beside the tests")
    return found


def test_csrc_includes_nothing_of_cuda():
    wrong = [
        f"{path.relative_to(ROOT)} includes {header}"
        for path in sorted([*CSRC.rglob("*.h"), *CSRC.rglob("*.cpp")])
        for header in includes(path)
        if header.is_relative_to(CUDA)
    ]
    assert not wrong, "\n".join(wrong)


def test_rules_enter_through_their_list_alone():
    listing = {
        path.name for path in sources() if '#include "../csrc/rules/rules.h"' in path.read_text()
    }
    assert listing == {"rule_table.cpp", "compile_rules.cu"}
    assert not [
        path.name for path in sources() if re.search(r"csrc/rules/(?!rules\.h)", path.read_text())
    ]


def test_no_rule_is_written_twice():
    names = set()
    for header in (CSRC / "rules").glob("*.h"):
        if header.name != "rules.h":
            names |= set(re.findall(r"^(?:struct|class) (\w+)", header.read_text(), re.MULTILINE))
    # Of which more must be known: the rule that clips gradients, and the one that follows updates.
    names -= {"Norm", "Finish"}
    assert {"Adam", "EllipsoidCut", "Rprop"} <= names
    found = [
        f"{path.name}: {name}"
        for path in sources()
        for name in sorted(names)
        if re.search(rf"\b{name}\b", re.sub(r"//.*", "", path.read_text()))
    ]
    assert not found, found


def kernels_of(source, ptx, *flags):
    """Compile to PTX as the library is; give that of each kernel."""
    compiler = shutil.which("nvcc")
    if compiler is None:
        pytest.skip("nvcc is not installed")
    own = (CUDA / "CMakeLists.txt").read_text()
    own = re.search(r"COMPILE_LANGUAGE:CUDA>:(--fmad=false[^>]*)>", own)[1].split(";")
    own += ["-std=c++20", "-O3", "-arch=compute_90", "-DMDBOPT_ISA=cuda", f"-I{CSRC}/include"]
    command = [compiler, *own, *flags, "-ptx", source, "-o", ptx]
    subprocess.run(command, check=True, capture_output=True)
    text = re.sub(r"//.*", "", ptx.read_text())
    kernels = re.split(r"(?=\.entry )", text)[1:]
    return {re.match(r"\.entry (\S+?)\(", kernel)[1]: kernel for kernel in kernels}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """PTX of the part that adam is in, by kernel."""
    listed = re.search(
        r"using Rules =\s*RuleList<(.*?)>;", (CSRC / "rules/rules.h").read_text(), re.S
    )[1]
    rules = re.sub(r"<[^<>]*>", "", listed).replace("\n", " ").split(",")
    parts = int(re.search(r"set\(parts (\d+)\)", (ROOT / "cmake/cuda.cmake").read_text())[1])
    part = [rule.strip() for rule in rules].index("Adam") % parts
    flags = [f"-DMDBOPT_CUDA_PART={part}", f"-DMDBOPT_CUDA_PARTS={parts}"]
    return kernels_of(
        CUDA / "compile_rules.cu", tmp_path_factory.mktemp("ptx") / "part.ptx", *flags
    )


PLACES = """
#include <utility>
#include "rules/rules.h"
namespace mdbopt::cuda {
template <class Rule, std::size_t... K>
__device__ void set(typename Rule::Coef& c, std::index_sequence<K...>) {
  ((c.*kMember<Rule, K> = 1.0 + K), ...);
}
template <class Rule, int count>
__global__ void places(typename Rule::Coef* c) {
  set<Rule>(*c, std::make_index_sequence<count>{});
}
template <class... Rule>
void all(RuleList<Rule...>, void* c) {
  (places<Rule, Scalars<Rule>::count><<<1, 1>>>(static_cast<typename Rule::Coef*>(c)), ...);
}
void every(void* c) { all(Rules{}, c); }
}
"""


@pytest.mark.slow
def test_every_scalar_has_a_place_of_its_own(tmp_path):
    """nvcc 13.0 takes the members of a Coef's second base for those of its first."""
    source = tmp_path / "places.cu"
    source.write_text(PLACES)
    kernels = kernels_of(source, tmp_path / "places.ptx", f"-I{CSRC}")
    assert len(kernels) > len(mdbopt.rules())
    for name, kernel in kernels.items():
        places = re.findall(r"st\.global\.(?:b|u)64\s+\[(.*?)\]", kernel)
        assert len(set(places)) == int(re.search(r"Li(\d+)E", name)[1]), name


@pytest.mark.slow
def test_no_instruction_rounds_otherwise(compiled):
    assert len(compiled) > 20
    found = {
        name: sorted(set(FORBIDDEN.findall(kernel)))
        for name, kernel in compiled.items()
        if FORBIDDEN.search(kernel)
    }
    assert not found, found


def adam(compiled, dtype):
    # As the compiler mangles walk_kernel<Adam, dtype, Apply<Adam, dtype, false>>.
    pattern = rf"walk_kernelI\w*?4AdamE{dtype}\w*Apply\w*Lb0E"
    return next(kernel for name, kernel in compiled.items() if re.search(pattern, name))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "loads", "stores"),
    [
        ("f", r"ld\.global\.v4\.(?:f|b|u)32", r"st\.global\.cg\.v4\.u32"),
        ("d", r"ld\.global\.v2\.(?:f|b|u)64", r"st\.global\.cg\.v2\.u64"),
        ("NS_8BFloat16E", r"ld\.global\.v4\.(?:f|b|u)32", r"st\.global\.cg\.v4\.u32"),
    ],
)
def test_adam_moves_16_bytes_at_a_time(compiled, dtype, loads, stores):
    kernel = adam(compiled, dtype)
    assert len(re.findall(loads, kernel)) >= 4
    assert len(re.findall(stores, kernel)) >= 3
    # Spilling, or pointers whose memory the compiler does not know, cost more than arithmetic.
    assert ".local" not in kernel
    assert not re.search(r"\b(?:ld|st)\.v[24]", kernel)


@pytest.mark.slow
def test_formats_are_moved_in_packs(compiled):
    pattern = r"stored_walk_kernelI\w*?4AdamEfNS\w*Apply"
    kernel = next(kernel for name, kernel in compiled.items() if re.search(pattern, name))
    # Numbers of 32 bits; halves of both kinds; codes.
    assert len(re.findall(r"\bld\.v4\.(?:b|u|f)32", kernel)) >= 8
    assert len(re.findall(r"\bld\.v2\.(?:b|u)32", kernel)) >= 4
    assert len(re.findall(r"\bst\.v4\.(?:b|u|f)32", kernel)) >= 6
    assert ".local" not in kernel


@pytest.mark.slow
def test_adam_divides_and_takes_roots_as_ieee_does(compiled):
    kernel = adam(compiled, "f")
    assert re.search(r"\bdiv\.rn\.f32", kernel)
    assert re.search(r"\bsqrt\.rn\.f32", kernel)
    assert re.search(r"\bmul\.rn\.f32", kernel)
