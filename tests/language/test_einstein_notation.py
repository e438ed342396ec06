"""Section 3: Einstein notation, and every ruling on where sums happen."""

from __future__ import annotations

import numpy as np
import pytest
from language_cases import check, refused, run, same, value
from scipy import special

from tcalc.errors import (
    DimensionError,
    IndexNotationError,
    OrientationError,
    ParseError,
    UnknownNameError,
)
from tcalc.language import parse

# With a left-hand side


def test_a_product_of_matrices():
    check("C[i,k] = A[i,j]*B[j,k]", lambda A, B: A @ B)
    check("C[k,i] = A[i,j]*B[j,k]", lambda A, B: (A @ B).T)


def test_an_index_on_the_left_is_never_summed():
    check("c[i] = a[i]*b[i]", lambda a, b: a * b)
    check("d[i] = A[i,i]", lambda A: np.diag(A))
    check("c[i] = a[i]*b[i]*a[i]*b[i]", lambda a, b: (a * b) ** 2)
    check("z[i] = exp(a[i]*b[i])", lambda a, b: np.exp(a * b))


def test_an_index_on_the_left_that_a_term_lacks_broadcasts_it():
    check("z[i] = x[i] + 1", lambda x: x + 1)
    check("z[i,j] = x[i] + y[j]", lambda x, y: np.add.outer(x, y), "x[m], y[n]")
    check("z[i] = x[i] + y[j]", lambda x, y: x + y.sum(), "x[m], y[n]")


def test_a_left_index_may_not_repeat():
    refused("c[i,i] = A[i,i]", IndexNotationError, (1, 5), "delta[i,j]")
    check("c[i,j] = x[i]*delta[i,j]", lambda x: np.diag(x))


def test_a_left_index_that_nothing_defines():
    refused("c[i,k] = a[i]", IndexNotationError, (1, 10), "range")
    refused("c[i] = 3", IndexNotationError, (1, 8), "range")


def test_left_indices_are_names():
    refused("c[1] = a", IndexNotationError, (1, 3), "stack")
    refused("c[2:3] = a", IndexNotationError, (1, 3), "stack")


# Where sums happen


def test_the_residual_of_the_manual():
    check("r = (X[i,j]*w[j] - y[i])^2", lambda X, w, y: ((X @ w - y) ** 2).sum())


def test_all_exponentials():
    check("s = exp(X[i,j])", lambda X: np.exp(X).sum())
    check("exp(X[i,j])", lambda X: np.exp(X))


def test_the_sum_inside_a_function():
    check("z[i] = exp(X[i,j]*w[j])", lambda X, w: np.exp(X @ w))
    check("s = exp(x[i]*y[i])", lambda x, y: np.exp(x @ y))
    check("s = exp(x[i])*y[i]", lambda x, y: np.exp(x) @ y)


def test_an_index_of_several_terms_is_free_in_all_of_them():
    check(
        "K[i,j] = exp(-(X[i,k]-X[j,k])^2/2)",
        lambda X: np.exp(-((X[:, None] - X[None]) ** 2).sum(-1) / 2),
    )
    check("s = exp(x[i]*y[i] + z[i])", lambda x, y, z: np.exp(x * y + z).sum())
    check("z[i] = exp(X[i,k] - Y[i,k])", lambda X, Y: np.exp(X - Y).sum(1))
    check("s = (x[i] + 1)*y[i]", lambda x, y: ((x + 1) * y).sum())
    check("s = (x[i]*y[i] + z[i])*x[i]", lambda x, y, z: ((x * y + z) * x).sum())


def test_the_sum_inside_parentheses():
    check("s = (x[i]*y[i])^2", lambda x, y: (x @ y) ** 2)
    check("s = (x[i]*y[i] + 1)^2", lambda x, y: (x @ y + 1) ** 2)
    check("s = (x[i]*y[i] + z[j])^2", lambda x, y, z: ((x @ y + z) ** 2).sum(), "x[m],y[m],z[n]")


def test_the_sum_inside_a_denominator():
    check("s = 1/(x[i]*x[i])", lambda x: 1 / (x @ x))
    check("s = 1/A[i,i]", lambda A: 1 / np.trace(A))
    check("z[j] = y[j]/(x[i]*x[i])", lambda x, y: y / (x @ x))
    check("s = y[i]/x[i]", lambda x, y: (y / x).sum())
    check("s = 1/(x[i]-y[i])^2", lambda x, y: 1 / ((x - y) ** 2).sum())
    check("s = 1/(x[i]-y[i])", lambda x, y: (1 / (x - y)).sum())


def test_powers():
    check("s = x[i]^2", lambda x: x @ x)
    check("s = x[i]^2*y[i]", lambda x, y: (x**2) @ y)
    check("s = A[i,i]^2", lambda A: np.trace(A) ** 2)
    check("s = 2^A[i,i]", lambda A: 2 ** np.trace(A))
    check("s = x[i]^y[i]", lambda x, y: (x**y).sum(), "x[n] positive, y[n]")
    check("x[i]^2", lambda x: x**2)


def test_parentheses_around_a_product_change_nothing():
    check("s = (x[i]*y[i])*z[i]", lambda x, y, z: (x * y * z).sum())
    check("s = x[i]*(y[i]*z[i])", lambda x, y, z: (x * y * z).sum())
    check("D[i,l] = (A[i,j]*B[j,k])*C[k,l]", lambda A, B, C: A @ B @ C)
    check("s = ((x[i]))*((y[i]))", lambda x, y: x @ y)


def test_an_index_that_occurs_outside_too_is_summed_there():
    check("s = exp(X[i,j]*w[j])*v[j]", lambda X, w, v: (np.exp(X * w) @ v).sum())


def test_each_term_of_the_top_level_sums_by_itself():
    check("s = a[i]*b[i] + c[i]*c[i]", lambda a, b, c: a @ b + c @ c, "a[m], b[m], c[n]")
    check("a[i]*b[i] + c[j]", lambda a, b, c: a @ b + c, "a[m], b[m], c[n]")


def test_without_a_left_side_what_is_free_is_an_axis_in_order_of_appearance():
    check("A[j,i]*b[i]", lambda A, b: A @ b)
    check("x[j]*y[i]", lambda x, y: np.outer(x, y))
    check("x[j] + y[i]", lambda x, y: np.add.outer(x, y), "x[m], y[n]")
    check("x[i]*y[i]", lambda x, y: x @ y)
    check("2*A[j,i]", lambda A: 2 * A)
    check("(x[i] - y[i])", lambda x, y: x - y)


def test_a_repeated_index_without_a_left_side_is_summed():
    check("A[i,i]", lambda A: np.trace(A))
    check("(X[i,j]*w[j] - y[i])^2", lambda X, w, y: ((X @ w - y) ** 2).sum())


# Positions


def test_integers_end_and_ranges():
    check("A[2,3]", lambda A: A[1, 2])
    check("x[end]", lambda x: x[-1])
    check("x[end-1]", lambda x: x[-2])
    check("A[2:3, 1:2]", lambda A: A[1:3, :2])
    check("A[2, 1:end]", lambda A: A[1])
    check("A[:, 2]", lambda A: A[:, 1])
    check("x[2:end] - x[1:end-1]", lambda x: np.diff(x))
    check("z[i] = A[i,2]", lambda A: A[:, 1])
    check("z[i] = A[2,i]*x[1]", lambda A, x: A[1] * x[0])
    check("x[2:n]", lambda x: x[1:], "x[n]")
    check("(A*x)[2]", lambda A, x: (A @ x)[1])
    check(
        "(C*inv(A+x*B))[end,end]",
        lambda C, A, x, B: (C @ np.linalg.inv(A + x * B))[-1, -1],
        "x, A[n,n], B[n,n], C[n,n]",
    )


def test_slices_that_are_indexed():
    check("z[j,i] = A[2:3,1:2][i,j]", lambda A: A[1:3, :2].T)
    check("A[2:3,j]*x[j]", lambda A, x: A[1:3] @ x)


def test_unit_tensors():
    check("delta[i,j]*x[j]", lambda x: x)
    check("A[i,j]*delta[i,j]", lambda A: np.trace(A))
    check("delta[i,3]*x[i]", lambda x: x[2])
    check("delta[3,i]*x[i]", lambda x: x[2])
    check("delta[2:3,j]*x[j]", lambda x: x[1:3])
    check("z[i,j] = x[i]*delta[i,j] + A[i,j]", lambda x, A: np.diag(x) + A)
    check("delta*x", lambda delta, x: delta * x)
    check("z[i] = delta*x[i] + delta[i,j]*x[j]", lambda delta, x: (delta + 1) * x)


def test_positions_out_of_range():
    beyond = refused("x[4]", DimensionError, (1, 3), "count from 1", "x[3]")
    assert beyond.message == "index 4 is beyond the last one, 3"
    assert refused("x[0]", DimensionError, (1, 3)).message == "index 0 is below 1"
    refused("x[end+1]", DimensionError, (1, 3), "count from 1")
    empty = refused("x[3:2]", DimensionError, (1, 3), "both its ends")
    assert empty.message == "the range 3:2 is empty"
    refused("x[2:n+1]", DimensionError, (1, 5), "", "x[n]")


def test_positions_that_are_no_integers():
    refused("x[i*k]", UnknownNameError, (1, 3), "is one small letter")
    refused("x[T-1]", UnknownNameError, (1, 3), "sizes are declared, as in tensor x[n]")


def test_the_wrong_number_of_indices():
    refused("A[i]", IndexNotationError, (1, 1), "", "A[m,n]")
    refused("(A*x)[i,j]", IndexNotationError, (1, 1))


def test_ranges_come_from_the_tensors():
    error = refused("A[i,j]*x[j]", DimensionError, (1, 1), "", "A[m,n], x[k]")
    assert "index j" in str(error)
    refused("A[i,i]", DimensionError, (1, 1), "", "A[m,n]")


def test_slices_do_not_mix_with_names():
    refused("z[j] = A[2:3,j]", IndexNotationError, (1, 8), "[i,j]")
    refused("A[2:3,j] + B[2:3,j]", IndexNotationError, (1, 1), "[i,j]")


# Functions


def test_functions_are_element_wise_in_free_indices():
    check("z[i] = max(x[i], 0)", lambda x: np.maximum(x, 0))
    check("z[i,j] = atan2(x[i], y[j])", lambda x, y: np.arctan2.outer(x, y), "x[m], y[n]")
    check("z[i,j] = where(A[i,j] > x[i], A[i,j], 0)", lambda A, x: np.where(x[:, None] < A, A, 0))


def test_einsum():
    check('einsum("ij,jk->ik", A, B)', lambda A, B: A @ B)
    check('#("ij,jk->ik", A, B)', lambda A, B: A @ B)
    check('einsum(" i j , k -> j ", A, x)', lambda A, x: A.sum(0) * x.sum())
    check('einsum("ii->i", A)', lambda A: np.diag(A))
    check('einsum("i,i,i->", x, y, x+1)', lambda x, y: (x * y * (x + 1)).sum())
    check('s = einsum("ij,j->i", A, x)[i]^2', lambda A, x: ((A @ x) ** 2).sum())
    same('einsum("ij,jk->ik", A, B)', "A*B")


def test_einsum_without_an_arrow_is_that_of_numpy():
    for subscripts, operands in [
        ("ij,j", "Ax"),
        ("ij,jk", "AB"),
        ("kj,ji", "AB"),
        ("ji", "A"),
        ("ii", "A"),
        ("ba,b", "Ax"),
        ("iZ,i", "Ax"),
        ("i,i", "xy"),
        (" i , j ", "xy"),
    ]:
        found, arrays = run(f'einsum("{subscripts}", {", ".join(operands)})')
        np.testing.assert_allclose(
            found, np.einsum(subscripts, *(arrays[name] for name in operands)), rtol=1e-12
        )
    assert parse('einsum("bij,bjk", A, B)').guesses == {"A": "tensor3", "B": "tensor3"}


@pytest.mark.parametrize(
    ("text", "kind", "column"),
    [
        ('einsum("ij;jk", A, B)', IndexNotationError, 8),
        ('einsum("ij", A, B)', IndexNotationError, 8),
        ('einsum("ij,jk->ii", A, B)', IndexNotationError, 8),
        ('einsum("ij,jk->iz", A, B)', IndexNotationError, 8),
        ('einsum("ij->i", A, B)', IndexNotationError, 8),
        ('einsum("...i->i", A)', IndexNotationError, 8),
        ('einsum("ij->i", 2*x)', DimensionError, 17),
        ("einsum(A, B)", ParseError, 1),
        ('exp("x")', ParseError, 5),
    ],
)
def test_wrong_einsums(text, kind, column):
    refused(text, kind, (1, column))


def test_reductions_take_the_index_they_consume():
    check("r[i] = max[j](X[i,j])", lambda X: X.max(1))
    check("r[b] = logsumexp[c](Z[b,c])", lambda Z: special.logsumexp(Z, axis=1))
    check("mean[j](X[i,j])", lambda X: X.mean(1))
    check("r[j] = sum[i](X[i,j])", lambda X: X.sum(0))
    check("s = norm2[i](X[i,j])", lambda X: np.linalg.norm(X, axis=0).sum())
    check("prod[i,j](X[i,j])", lambda X: X.prod())
    check("r[i] = X[i,j]", lambda X: X.sum(1))


def test_the_index_of_a_reduction_is_not_summed_inside():
    check("r[i] = max[j](X[i,j]*w[j])", lambda X, w: (X * w).max(1))
    check("logsumexp[j](x[j]*y[j])", lambda x, y: special.logsumexp(x * y))
    check("max[j](X[i,j]*w[j])*x[j]", lambda X, w, x: np.outer((X * w).max(1), x), "x[k]")


def test_normalisations_keep_the_index():
    check("p[i,j] = softmax[j](X[i,j])", lambda X: special.softmax(X, axis=1))
    check("c[i,j] = cumsum[i](X[i,j])", lambda X: np.cumsum(X, axis=0))
    check("c[i,j] = cumsum[i,j](X[i,j])", lambda X: np.cumsum(np.cumsum(X, axis=0), axis=1))
    check("p[i,j] = softmax[i](X[i,j])", lambda X: special.softmax(X, axis=0))
    check("softmax[i](X[i,j])", lambda X: special.softmax(X, axis=0))
    check("s = softmax[j](x[j]*y[j])*y[j]", lambda x, y: special.softmax(x * y) @ y)


def test_reductions_must_be_told_their_index():
    refused("max(X[i,j])", IndexNotationError, (1, 1), "max[j]")
    refused("r[i] = logsumexp(X[i,j])", IndexNotationError, (1, 8), "logsumexp[j]")
    refused("max[j](X)", IndexNotationError, (1, 1), "index the argument")
    refused("max[2](X)", IndexNotationError, (1, 1), "max[j]")
    refused("exp[j](x[j])", IndexNotationError, (1, 1), "behind the call")


def test_a_sum_takes_what_is_not_needed_elsewhere():
    check("sum(X[i,j]*w[j])", lambda X, w: (X @ w).sum())
    check("r[i] = sum(X[i,j])", lambda X: X.sum(1))
    refused("sum(X[i,j])*w[j]", IndexNotationError, (1, 1), "sum[j]")


# Batches


BATCH = "A[b,n,n] spd, Y[b,n], Z[b,n,k]"


def test_functions_map_over_leading_axes():
    check("chol(A)", lambda A: np.linalg.cholesky(A), BATCH)
    check("logdet(A)", lambda A: np.linalg.slogdet(A)[1], BATCH)
    check("inv(A)", lambda A: np.linalg.inv(A), BATCH)
    check("diag(A)", lambda A: np.diagonal(A, axis1=1, axis2=2), BATCH)
    check(r"A \ Y", lambda A, Y: np.linalg.solve(A, Y[..., None])[..., 0], BATCH)
    check(r"A \ Z", lambda A, Z: np.linalg.solve(A, Z), BATCH)
    check("solve(A, Z)", lambda A, Z: np.linalg.solve(A, Z), BATCH)


def test_indexed_arguments_and_indexed_calls():
    check("d[b] = logdet(A[b,i,j])", lambda A: np.linalg.slogdet(A)[1], BATCH)
    check("s = logdet(A[b,i,j])", lambda A: np.linalg.slogdet(A)[1].sum(), BATCH)
    check(
        "z[b,i] = chol(A)[b,i,k]*Y[b,k]",
        lambda A, Y: np.einsum("bik,bk->bi", np.linalg.cholesky(A), Y),
        BATCH,
    )
    refused("L[b,i,k] = chol(A[b,i,k])", IndexNotationError, (1, 12), "chol(A)[b,i,k]", BATCH)
    refused("inv(A[b,:,:])[i,k]*Y[b,i]", IndexNotationError, (1, 1), "inv(A)[b,i,j]", BATCH)
    refused("inv(2*A[b,i,k])", IndexNotationError, (1, 1), "inv(...)[i,j]", BATCH)


def test_products_of_batches_are_written_with_indices():
    refused("A*Y", DimensionError, (1, 1), "indices", BATCH)
    refused("A'", DimensionError, (1, 1), "indices", BATCH)
    check("A[b,i,j]*Y[b,j]*Y[b,i]", lambda A, Y: np.einsum("bij,bj,bi->", A, Y, Y), BATCH)
    check("z[b,i] = A[b,i,j]*Y[b,j]", lambda A, Y: np.einsum("bij,bj->bi", A, Y), BATCH)
    check("A + 2*A", lambda A: 3 * A, BATCH)


# Mixing


def test_scalars_mix_with_indexed_terms():
    check("z[i] = a*x[i] + norm2(x)^2", lambda a, x: a * x + x @ x)
    check("s = x[i]*y[i] + x'*y", lambda x, y: 2 * x @ y)


def test_unindexed_tensors_do_not():
    refused("X[i,j]*w", IndexNotationError, (1, 8), "w[i]")
    refused("z[i] = x[i] + y", IndexNotationError, (1, 15), "y[i]")
    refused("z[i] = X*w", IndexNotationError, (1, 8), "[i]")
    refused("f = x[i]*y[i] + w", IndexNotationError, (1, 17), "w[i]")
    refused("A[i,j]'", OrientationError, (1, 1), "other order")
    refused(r"A[i,j] \ x[j]", OrientationError, (1, 1), "index the result")


def test_definitions_pass_between_the_notations():
    check("z[i] = X[i,j]*w[j]\nz'*z", lambda X, w: ((X @ w) ** 2).sum())
    check("Z = X*Y\ns = Z[i,i]", lambda X, Y: np.trace(X @ Y))
    check("(A*B)[i,k]*C[k,i]", lambda A, B, C: np.trace(A @ B @ C))
    check("(A[i,j]*B[j,k])[a,b]*x[b]", lambda A, B, x: A @ B @ x)


def test_both_notations_make_one_node():
    same("C[i,k] = A[i,j]*B[j,k]", "A*B")
    same("s = x[i]*y[i]", "x'*y")
    same("s = A[i,i]", "tr(A)")
    same("z[i] = exp(X[i,j]*w[j])", "exp(X*w)")
    same("C[i,j] = A[j,i]", "A'")


def test_values_are_exact_over_long_sums():
    assert value("s = " + "+".join(["x[i]*x[i]"] * 2000), "x[2]") == pytest.approx(
        2000 * value("s = x[i]*x[i]", "x[2]")
    )
    assert parse("s = x[i]*x[i]").variables["x"].order == 1


@pytest.mark.parametrize(
    "text",
    ["einsum('ij,jk->ik', A, B)", "einsum( 'ij,jk->ik' , A, B)", "#('ij,jk->ik', A, B)"],
)
def test_subscripts_in_single_quotes(text):
    assert parse(text).value is parse("A*B").value


def test_single_quotes_behind_a_value_are_transposes():
    assert parse("sum(x'*A'*x)").value is parse("x'*A'*x").value
    assert parse("dot(x', y')").value is parse("x'*y").value
    assert parse("einsum('ij,kj->ik', A', B')").value is parse("A'*B").value


def test_subscripts_tell_how_many_axes_a_name_has():
    program = parse('einsum("bij,bjk->bik", A, B)')
    assert program.guesses == {"A": "tensor3", "B": "tensor3"}
    assert program.value is parse("C[b,i,k] = A[b,i,j]*B[b,j,k]").value
    # Nor is a letter a scalar or a vector where it is labelled otherwise.
    assert parse('einsum("i,ij,j->", c, x, d)').guesses == {
        "c": "vector",
        "x": "matrix",
        "d": "vector",
    }
    # Other operands, and built-in names, have the axes that they have.
    assert parse('einsum("ij,j->i", A, ones)').guesses == {"A": "matrix"}


@pytest.mark.parametrize(
    ("subscripts", "hint"),
    [
        ("...ij,...jk", '"bij,bjk"'),
        ("...ij,...jk->...ik", '"bij,bjk->bik"'),
        ("...b,...b->...", '"nb,nb->n"'),
    ],
)
def test_subscripts_of_numpy_are_told_in_full(subscripts, hint):
    refused(f'einsum("{subscripts}", A, B)', IndexNotationError, (1, 8), hint)


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("C[k,t] = cos(2*pi*(k - 1)*t/N)*x[t]", "t"),
        ("x[i]*i", "i"),
        ("A[m,k] = m*x[k]", "m"),
        ("C[p,q] = where(p < q, x[p]*x[q], 0)", "p"),
        ("sum(where(x[i] > i, x[i], 0))", "i"),
    ],
)
def test_an_index_is_no_number(program: str, name: str) -> None:
    with pytest.raises(IndexNotationError, match=f"`{name}` is an index, which is no number"):
        parse(program, "x[N]")


def test_a_norm_may_be_over_all_indices() -> None:
    with pytest.raises(IndexNotationError) as raised:
        parse("norm2(X[i,j,k] - A[i,r]*B[j,r]*C[k,r])^2")
    assert raised.value.hint == "norm2[k](...), or of all elements norm2[i,j,k](...)"


def test_a_name_that_is_an_index_elsewhere_may_be_a_tensor_or_a_number() -> None:
    assert parse("y[x] = A[x,j]*b[j]; y'*x", "A[n,n], x[n]").value.order == 0
    assert parse("y = a[c,i]*b[i]*c", "a[2,3], b[3], c").value.order == 0


def test_the_axes_of_what_is_defined_are_named_as_on_the_left() -> None:
    with pytest.raises(IndexNotationError) as caught:
        parse("P[i,J] = gradient(log(det(F)), F)", "F[3,3]")
    assert caught.value.hint == "name its axes, for example (...)[i,J]; only scalars need none"
