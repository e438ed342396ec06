"""The normal form of products and sums."""

from __future__ import annotations

import pickle
import threading
from fractions import Fraction

import pytest

from tcalc.expr import Add, Const, Delta, Dim, Einsum, build, shape
from tcalc.expr.verify import InvariantError, verify

M, N, K = shape("m", "n", "k")
A = build.var("A", (M, N))
B = build.var("B", (N, K))
S = build.var("S", (N, N), ["symmetric"])
x = build.var("x", (N,))
c = build.var("c", ())


def test_equal_nodes_are_one_object():
    assert build.var("A", (M, N)) is A
    assert build.einsum([A, B], "ij,jk->ik") is build.einsum([B, A], "bc,ab->ac")
    assert build.const(1) is build.const(Fraction(2, 2))
    assert build.var("A", (M, N), ["spd"]) is not A


def test_interning_is_safe_across_threads():
    made: list[object] = []

    def work() -> None:
        made.append(build.einsum([A, B, x], "ij,jk,j->ik"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, made))) == 1


def test_pickling_gives_the_same_object():
    product = build.scale(3, build.einsum([A, B], "ij,jk->ki"))
    assert pickle.loads(pickle.dumps(product)) is product


def test_unit_tensor_with_a_summed_label_is_a_renaming():
    assert build.einsum([A, build.delta(N)], "ij,jk->ik") is A
    trace_of_unit = build.einsum([build.delta(N)], "ii->")
    assert trace_of_unit is build.size(N)


def test_unit_tensor_in_the_output_makes_a_view():
    node = build.einsum([x, build.delta(N)], "i,ij->ij")
    assert isinstance(node, Einsum)
    assert node.is_view
    assert build.einsum([node], "ii->i") is x
    assert build.einsum([node, A], "ij,kj->ki") is build.einsum([x, A], "j,kj->kj")


def test_chains_of_unit_tensors_have_one_form():
    d = build.delta(N)
    left = build.einsum([d, d, x], "ij,jk,j->ijk")
    right = build.einsum([d, d, x], "ik,ij,k->ijk")
    assert left is right


def test_zeros_annihilate_and_numbers_move_out():
    assert build.einsum([A, build.zeros((N,))], "ij,j->i") is build.zeros((M,))
    scaled = build.einsum([build.const(3), A], ",ij->ij")
    assert scaled is build.scale(3, A)
    product = build.einsum([build.scale(2, A), build.scale(5, x)], "ij,j->i")
    assert product is build.scale(10, build.einsum([A, x], "ij,j->i"))


def test_ones_count_the_dimension_that_nothing_else_has():
    assert build.einsum([A, build.ones((N,))], "ij,j->i") is build.einsum([A], "ij->i")
    assert build.einsum([c, build.ones((N,))], ",j->") is build.einsum([c, build.size(N)], ",->")
    assert build.sum_all(build.ones((Dim.of(3), Dim.of(4)))) is build.const(12)


def test_broadcast_labels_need_a_dimension():
    wide = build.einsum([x], ["j"], ["i", "j"], {"i": M})
    assert wide.dims == (M, N)
    with pytest.raises(ValueError, match="without a dimension"):
        build.einsum([x], ["j"], ["i", "j"])


def test_clashing_dimensions_are_refused():
    with pytest.raises(ValueError, match="dimensions"):
        build.einsum([A, A], "ij,jk->ik")
    with pytest.raises(ValueError, match="shapes"):
        build.sum_of(A, B)


def test_sums_merge_like_terms():
    assert build.add([(2, x), (3, x)]) is build.scale(5, x)
    assert build.subtract(x, x) is build.zeros((N,))
    assert build.scale(-1, build.scale(-1, x)) is x
    assert build.add([(1, build.const(2, (N,))), (1, build.const(3, (N,)))]) is build.const(5, (N,))
    mixed = build.add([(1, x), (1, build.const(2, (N,)))])
    assert isinstance(mixed, Add)
    assert (Fraction(2), build.ones((N,))) in mixed.terms


def test_transposing_a_symmetric_matrix_changes_nothing():
    assert build.transpose(S) is S
    gram = build.einsum([A, A], "ki,kj->ij")
    assert build.transpose(gram) is gram
    sandwich = build.einsum([A, S, A], "ij,jk,lk->il")
    assert build.transpose(sandwich) is sandwich


def test_pure_unit_tensors():
    unit = build.einsum([], [], "aa", {"a": N})
    assert isinstance(unit, Delta)
    fourth = build.einsum([], [], "abab", {"a": M, "b": N})
    assert build.einsum([fourth, A], "abcd,cd->ab") is A


def test_a_product_of_nothing_is_a_number():
    assert build.einsum([], [], "") is build.const(1)
    assert build.einsum([], [], "a", {"a": N}) is build.ones((N,))
    assert isinstance(build.einsum([], [], "a", {"a": N}), Const)


def test_verify_finds_what_is_broken():
    with pytest.raises(InvariantError, match="canonical"):
        verify([Einsum((B, A), ((1, 2), (0, 1)), (0, 2), (M, K))])
    with pytest.raises(InvariantError, match="coefficient"):
        verify([Add(((Fraction(1), A),))])


def test_a_diagonal_on_a_diagonal_is_no_matrix():
    square = build.var("Q", (N, N))
    node = build.einsum([square], "ii->ii")
    assert node is not square
    assert build.einsum([node], "ij->ij") is node
    assert build.einsum([node], "ii->i") is build.einsum([square], "ii->i")
