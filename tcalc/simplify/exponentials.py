"""Rules for exponentials and logarithms, and the stable functions made from them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeGuard

from tcalc.expr import build
from tcalc.expr.dims import product
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node
from tcalc.expr.primitive import Fact
from tcalc.primitives.exponential import exp, log, log1p, sigmoid, softplus
from tcalc.primitives.hyperbolic import cosh, sinh, tanh
from tcalc.primitives.power import Power, power
from tcalc.primitives.reductions import Prod, total
from tcalc.primitives.softmax import LogSumExp, Softmax, logsumexp, softmax
from tcalc.simplify.engine import of_functions_of, of_products_having, of_sums_having
from tcalc.simplify.parts import base_and_exponent, parts_of

ONE = Fraction(1)


@of_functions_of(log)
def log_of_exp(node: Apply) -> Node | None:
    """``log(exp(x)) -> x``."""
    match node:
        case Apply(primitive=outer, args=(Apply(primitive=inner, args=(x,)),)):
            return x if outer == log and inner == exp else None
    return None


@of_functions_of(exp)
def exp_of_log(node: Apply) -> Node | None:
    """``exp(log(x)) -> x``."""
    match node:
        case Apply(primitive=outer, args=(Apply(primitive=inner, args=(x,)),)):
            return x if outer == exp and inner == log else None
    return None


@of_functions_of(log)
def log_of_power(node: Apply) -> Node | None:
    """``log(x^p) -> p log(x)`` where x must be positive anyway: p odd or not whole, or x > 0.

    Example: ``log(1/x) -> -log(x)``.
    """
    match node:
        case Apply(primitive=outer, args=(Apply(primitive=Power() as p, args=(x,)),)):
            odd = p.exponent.denominator != 1 or p.exponent.numerator % 2 == 1
            if outer == log and (odd or holds(x, Fact.POSITIVE)):
                return build.scale(p.exponent, log(x))
    return None


@of_functions_of(Power)
def power_of_exp(node: Apply) -> Node | None:
    """``exp(x)^p -> exp(p x)``."""
    match node:
        case Apply(primitive=Power() as p, args=(Apply(primitive=inner, args=(x,)),)):
            return exp(build.scale(p.exponent, x)) if inner == exp else None
    return None


@of_products_having(exp)
def exponentials_combined(node: Einsum) -> Node | None:
    """``exp(x) .* exp(y) -> exp(x + y)`` at the same labels.

    Example: ``exp(x) .* exp(-x) -> ones``.
    """
    seen: dict[tuple[int, ...], int] = {}
    parts = parts_of(node)
    for k, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        if not (isinstance(factor, Apply) and factor.primitive == exp):
            continue
        first = seen.setdefault(row, k)
        if first != k:
            other = parts.factors[first]
            new = exp(build.sum_of(factor.args[0], other.operands[0]))
            return parts.replaced((first, k), (new,), (row,)).build()
    return None


@of_functions_of(exp, log)
def exp_of_zero(node: Apply) -> Node | None:
    """``exp(0) -> 1``, ``log(1) -> 0``."""
    match node:
        case Apply(primitive=function, args=(Const(value=value),)):
            if function == exp and value == 0:
                return build.ones(node.dims)
            if function == log and value == 1:
                return build.zeros(node.dims)
    return None


@of_functions_of(log, log1p)
def log_of_one_plus_exp(node: Apply) -> Node | None:
    """``log(1 + exp(x)) -> softplus(x)``, ``log1p(exp(x)) -> softplus(x)``."""
    match node:
        case Apply(primitive=function, args=(argument,)) if function == log:
            x = _one_plus_exp(argument)
            return None if x is None else softplus(x)
        case Apply(primitive=function, args=(Apply(primitive=inner, args=(x,)),)):
            return softplus(x) if function == log1p and inner == exp else None
    return None


@of_functions_of(Power)
def reciprocal_of_one_plus_exp(node: Apply) -> Node | None:
    """``(1 + exp(x))^-p -> sigmoid(-x)^p``, also ``1/(1 + exp(x))^p``."""
    match node:
        case Apply(primitive=Power(exponent=p), args=(argument,)):
            base, q = base_and_exponent(argument)
            x = _one_plus_exp(base) if p * q < 0 else None
            if x is not None:
                return power(sigmoid(build.scale(-1, x)), -p * q)
    return None


@of_products_having(sigmoid)
def sigmoid_times_reciprocal(node: Einsum) -> Node | None:
    """``sigmoid(x)^p .* (1 + exp(-x))^q -> sigmoid(x)^(p-q)``, which are reciprocals.

    Example: ``sigmoid(x) .* (1 + exp(-x)) -> 1``.
    """
    parts = parts_of(node)
    placed = list(zip(parts.factors, parts.rows, strict=True))
    for k, (factor, row) in enumerate(placed):
        base, q = base_and_exponent(factor)
        x = _one_plus_exp(base)
        if x is None:
            continue
        mirrored = sigmoid(build.scale(-1, x))
        for j, (other, at) in enumerate(placed):
            known, p = base_and_exponent(other)
            if known is mirrored and at == row:
                return parts.replaced((k, j), (power(mirrored, p - q),), (row,)).build()
    return None


@of_functions_of(log)
def log_of_product(node: Apply) -> Node | None:
    """``log(prod(x)) -> sum(log(x))`` for positive x."""
    match node:
        case Apply(primitive=function, args=(Apply(primitive=Prod() as prod, args=(x,)),)):
            if function == log and holds(x, Fact.POSITIVE):
                return total(log(x), prod.axes)
    return None


@of_functions_of(log)
def log_of_exp_in_product(node: Apply) -> Node | None:
    """``log(exp(x) .* y) -> x + log(y)``, for x along all axes.

    The number of exponentials falls.  Example: ``log(exp(x)./y) -> x - log(y)``.
    """
    if node.primitive != log:
        return None
    parts = parts_of(node.args[0])
    for k, factor in enumerate(parts.factors):
        if isinstance(factor, Apply) and factor.primitive == exp and parts.rows[k] == parts.output:
            ones = build.ones(factor.dims)
            rest = parts.replaced((k,), (ones,), (parts.rows[k],)).build()
            return build.sum_of(factor.args[0], log(rest))
    return None


@of_products_having(sigmoid)
def exp_times_sigmoid(node: Einsum) -> Node | None:
    """``exp(-k x) .* sigmoid(x)^q -> (1 - sigmoid(x))^k .* sigmoid(x)^(q-k)`` for 0 < k <= q.

    The number of exponentials falls.  Example: ``exp(x) .* sigmoid(-x) -> sigmoid(x)``.
    """
    parts = parts_of(node)
    rows = parts.rows
    for k, exponential in enumerate(parts.factors):
        if not (isinstance(exponential, Apply) and exponential.primitive == exp):
            continue
        for j, factor in enumerate(parts.factors):
            base, q = base_and_exponent(factor)
            if rows[j] != rows[k] or not isinstance(base, Apply) or base.primitive != sigmoid:
                continue
            (x,) = base.args
            count = _multiple(exponential.args[0], build.scale(-1, x))
            if count is not None and count.denominator == 1 and 0 < count <= q:
                mirrored = sigmoid(build.scale(-1, x))
                if count < q:
                    mirrored = build.subtract(build.ones(base.dims), base)
                new = [power(mirrored, count), power(base, q - count)]
                return parts.replaced((k, j), new, (rows[k], rows[k])).build()
    return None


@of_functions_of(log)
def log_of_sigmoid(node: Apply) -> Node | None:
    """``log(sigmoid(x)) -> -softplus(-x)``, ``log(1 - sigmoid(x)) -> -softplus(x)``."""
    match node:
        case Apply(primitive=function, args=(Apply(primitive=inner, args=(x,)),)):
            if function == log and inner == sigmoid:
                return build.scale(-1, softplus(build.scale(-1, x)))
        case Apply(primitive=function, args=(Add(terms=terms),)) if function == log:
            inside = _one_minus_sigmoid(terms)
            return None if inside is None else build.scale(-1, softplus(inside))
    return None


@of_sums_having(sigmoid)
def one_minus_mirrored_sigmoid(node: Add) -> Node | None:
    """``c - c sigmoid(-x) -> c sigmoid(x)``, and ``c - 2 c sigmoid(-x) -> 2 c sigmoid(x) - c``.

    Example: ``1 - sigmoid(-x) -> sigmoid(x)``.
    """
    match node:
        case Add(terms=((a, x), (b, y))):
            for (c, one), (d, q) in (((a, x), (b, y)), ((b, y), (a, x))):
                if isinstance(one, Const) and _is_mirrored(q) and -d in (c, 2 * c):
                    p = sigmoid(build.scale(-1, q.operands[0]))
                    return build.add([(c + d, one), (-d, p)])
    return None


@of_products_having(sigmoid)
def sigmoid_times_mirrored(node: Einsum) -> Node | None:
    """``sigmoid(x) .* sigmoid(-x) -> sigmoid(x) .* (1 - sigmoid(x))``, the same for powers.

    The number of different sigmoids falls.
    """
    parts = parts_of(node)
    placed = list(zip(parts.factors, parts.rows, strict=True))
    for k, (factor, row) in enumerate(placed):
        q, exponent = base_and_exponent(factor)
        if not _is_mirrored(q):
            continue
        p = sigmoid(build.scale(-1, q.operands[0]))
        if any(base_and_exponent(x)[0] is p and at == row for x, at in placed):
            new = power(build.subtract(build.ones(p.dims), p), exponent)
            return parts.replaced((k,), (new,), (row,)).build()
    return None


@of_sums_having(sigmoid)
def mirrored_sigmoids(node: Add) -> Node | None:
    """``A sigmoid(x) + B sigmoid(-x) -> A sigmoid(x) + B - B sigmoid(x)``.

    Example: ``(1 - y) .* p - y .* q -> p - y`` for ``p = sigmoid(x)``, ``q = sigmoid(-x)``.
    """
    found = [_sigmoids(term) for _, term in node.terms]
    if not any(found):
        return None
    for there, (_, term) in zip(found, node.terms, strict=True):
        for q in there:
            p = sigmoid(build.scale(-1, q.args[0]))
            if _is_negative(q.args[0]) and any(p in here for here in found):
                return build.add(
                    (c * d, new)
                    for c, old in node.terms
                    for d, new in (_mirrored(old, q, p) if old is term else ((ONE, old),))
                )
    return None


def _sigmoids(term: Node) -> list[Apply]:
    """The sigmoids among the factors of a term, as they are or as ``1 - sigmoid(x)``."""
    found: list[Apply] = []
    for factor in parts_of(term).factors:
        base = base_and_exponent(factor)[0]
        if isinstance(base, Add):
            inner = _one_minus_sigmoid(base.terms)
            if inner is None:
                continue
            base = sigmoid(inner)
        if isinstance(base, Apply) and base.primitive == sigmoid and base not in found:
            found.append(base)
    return found


def _mirrored(term: Node, q: Node, p: Node) -> list[tuple[Fraction, Node]]:
    """The terms of a product in which q is replaced by 1 - p, and 1 - q by p."""
    parts = parts_of(term)
    one = build.ones(q.dims)
    new: list[Node] = []
    single: list[int] = []
    for k, factor in enumerate(parts.factors):
        base, exponent = base_and_exponent(factor)
        if base is q:
            single += [k] if exponent == 1 else []
            new.append(power(build.subtract(one, p), exponent))
        else:
            new.append(power(p, exponent) if base is build.subtract(one, q) else factor)
    changed = sum(a is not b for a, b in zip(new, parts.factors, strict=True))
    every = range(len(new))
    if changed > 1 or not single:
        return [(ONE, parts.replaced(every, new, parts.rows).build())]
    (k,) = single
    terms: list[tuple[Fraction, Node]] = []
    for number, factor in ((1, one), (-1, p)):
        factors = [*new[:k], factor, *new[k + 1 :]]
        terms.append((Fraction(number), parts.replaced(every, factors, parts.rows).build()))
    return terms


def _is_mirrored(node: Node) -> TypeGuard[Apply]:
    """Whether a node is a sigmoid of what has a minus."""
    return isinstance(node, Apply) and node.primitive == sigmoid and _is_negative(node.args[0])


def _is_negative(node: Node) -> bool:
    """Whether most signs of a sum are minus; of as many of either kind, that of the first term."""
    if not isinstance(node, Add):
        return False
    negative = [c < 0 for c, _ in node.terms]
    return 2 * sum(negative) + negative[0] > len(negative)


@of_products_having(cosh)
def hyperbolic_quotient(node: Einsum) -> Node | None:
    """``sinh(x)^p ./ cosh(x)^q -> tanh(x)^p ./ cosh(x)^(q-p)`` for whole 0 < p <= q.

    Example: ``sinh(x) ./ cosh(x) -> tanh(x)``.
    """
    parts = parts_of(node)
    powers = [base_and_exponent(factor) for factor in parts.factors]
    for k, (below, q) in enumerate(powers):
        if not (isinstance(below, Apply) and below.primitive == cosh):
            continue
        for j, (above, p) in enumerate(powers):
            if (
                isinstance(above, Apply)
                and above.primitive == sinh
                and above.args == below.args
                and parts.rows[j] == parts.rows[k]
                and p.denominator == q.denominator == 1
                and 0 < p <= -q
            ):
                new = [power(tanh(below.args[0]), p), power(below, p + q)]
                kept = 1 if p == -q else 2
                return parts.replaced((j, k), new[:kept], [parts.rows[k]] * kept).build()
    return None


@of_functions_of(log)
def log_of_sum_of_exp(node: Apply) -> Node | None:
    """``log(Σ exp(x)) -> logsumexp(x)`` over the last axes."""
    match node:
        case Apply(primitive=function, args=(argument,)) if function == log:
            x = _sum_of_exp(argument)
            return None if x is None else logsumexp(x, x.order - argument.order)
    return None


@of_products_having(exp)
def exp_over_sum_of_exp(node: Einsum) -> Node | None:
    """``exp(x) ./ Σ exp(x) -> softmax(x)`` along the last axes."""
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        base, exponent = base_and_exponent(factor)
        x = _sum_of_exp(base) if exponent <= -1 and exponent.denominator == 1 else None
        if x is None:
            continue
        for j, exponential in enumerate(parts.factors):
            fits = parts.rows[j][: factor.order] == parts.rows[k]
            if exponential is exp(x) and fits:
                new = [softmax(x, x.order - factor.order), power(base, exponent + 1)]
                kept = 1 if exponent == -1 else 2
                rows = (parts.rows[j], parts.rows[k])
                return parts.replaced((j, k), new[:kept], rows[:kept]).build()
    return None


@of_functions_of(exp)
def exp_minus_logsumexp(node: Apply) -> Node | None:
    """``exp(x - logsumexp(x)) -> softmax(x)``."""
    match node:
        case Apply(primitive=function, args=(Add(terms=((a, x), (b, y))),)) if function == exp:
            for (c, left), (d, right) in (((a, x), (b, y)), ((b, y), (a, x))):
                parts = parts_of(right)
                if c != 1 or d != -1 or len(parts.factors) != 1:
                    continue
                (core,) = parts.factors
                if isinstance(core, Apply) and isinstance(core.primitive, LogSumExp):
                    lead = parts.output[: core.order]
                    if core.args[0] is left and parts.rows[0] == lead:
                        return softmax(left, core.primitive.axes)
    return None


@of_functions_of(Softmax)
def softmax_of_number(node: Apply) -> Node | None:
    """``softmax(c) -> 1/n`` for n equal numbers."""
    match node:
        case Apply(primitive=Softmax(axes=axes), args=(Const(),)):
            size = build.size(product(node.dims[node.order - axes :]))
            return build.broadcast(power(size, -1), node.dims)
    return None


def _one_plus_exp(node: Node) -> Node | None:
    """The x of ``1 + exp(x)``."""
    match node:
        case Add(terms=((a, x), (b, y))):
            for (c, one), (d, e) in (((a, x), (b, y)), ((b, y), (a, x))):
                is_one = isinstance(one, Const) and c * one.value == 1
                if is_one and d == 1 and isinstance(e, Apply) and e.primitive == exp:
                    return e.args[0]
    return None


def _one_minus_sigmoid(terms: Sequence[tuple[Fraction, Node]]) -> Node | None:
    """The x of ``1 - sigmoid(x)``."""
    if len(terms) != 2:
        return None
    for (c, one), (d, p) in (terms, terms[::-1]):
        if isinstance(one, Const) and c * one.value == 1 and d == -1:
            return p.args[0] if isinstance(p, Apply) and p.primitive == sigmoid else None
    return None


def _sum_of_exp(node: Node) -> Node | None:
    """The x of ``Σ exp(x)`` over the last axes."""
    match node:
        case Einsum(factors=(Apply(primitive=function, args=(x,)),), output=output):
            (row,) = node.subscripts
            plain = len(set(row)) == len(row) > len(output) and row[: len(output)] == output
            return x if function == exp and plain else None
    return None


def _multiple(node: Node, of: Node) -> Fraction | None:
    """The number c with ``node = c * of``."""
    if node is of:
        return Fraction(1)
    left = node.terms if isinstance(node, Add) else ((Fraction(1), node),)
    right = of.terms if isinstance(of, Add) else ((Fraction(1), of),)
    ratios = {a / b for (a, _), (b, _) in zip(left, right, strict=False)}
    same = [x for _, x in left] == [x for _, x in right]
    return ratios.pop() if same and len(ratios) == 1 else None


RULES = (
    log_of_exp,
    exp_of_log,
    log_of_power,
    power_of_exp,
    exponentials_combined,
    exp_of_zero,
    log_of_one_plus_exp,
    reciprocal_of_one_plus_exp,
    sigmoid_times_reciprocal,
    log_of_product,
    log_of_exp_in_product,
    exp_times_sigmoid,
    log_of_sigmoid,
    one_minus_mirrored_sigmoid,
    sigmoid_times_mirrored,
    mirrored_sigmoids,
    hyperbolic_quotient,
    log_of_sum_of_exp,
    exp_over_sum_of_exp,
    exp_minus_logsumexp,
    softmax_of_number,
)
