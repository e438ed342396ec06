"""Formulas of mechanics, of robotics and with unit matrices, as textbooks write them."""

from __future__ import annotations

import pytest
from written_formulas import Formula, reads_so

import tcalc

PENDULUM = """
v = (l1*w1*cos(a) + l2*w2*cos(b))^2 + (l1*w1*sin(a) + l2*w2*sin(b))^2
m1*l1^2*w1^2/2 + m2*v/2 + (m1 + m2)*g*l1*cos(a) + m2*g*l2*cos(b)
"""
LENGTHS = "m1[], m2[], l1[], l2[], w1[], w2[], a[], b[], g[]"
ARM = "(l1*cos(a) + l2*cos(a + b) - x)^2 + (l1*sin(a) + l2*sin(a + b) - y)^2"

FORMULAS = [
    Formula(  # the momentum of a double pendulum, and its inertia
        PENDULUM,
        LENGTHS,
        "w1",
        "(m1 + m2)*l1^2*w1 + l1*m2*l2*w2*cos(b - a)",
        "(m1 + m2)*l1^2",
    ),
    Formula(  # the torque on it
        PENDULUM,
        LENGTHS,
        "a",
        "l1*(w1*m2*l2*w2*sin(b - a) - (m1 + m2)*g*sin(a))",
    ),
    Formula(  # an arm with two links
        ARM,
        "l1[], l2[], a[], b[], x[], y[]",
        "a",
        "2*(l1*(x*sin(a) - y*cos(a)) + l2*(x*sin(a + b) - y*cos(a + b)))",
    ),
    Formula(  # two moments about one axis
        "cross(w, p)'*cross(w, q)",
        "w[3], p[3], q[3]",
        "w",
        "skew(p)*skew(w)*q + skew(q)*skew(w)*p",
        "skew(p)*skew(q)' + skew(q)*skew(p)'",
    ),
    Formula(  # a covariance that is a multiple of the unit matrix
        "x'*inv(c*eye(n))*x + logdet(c*eye(n))",
        "x[n], c positive",
        "c",
        "n/c - x'*x/c^2",
    ),
    Formula("det(c*eye(n))", "c, x[n]", "c", "n*c^(n - 1)", "(n^2 - n)*c^(n - 2)"),
    Formula("x'*expm(c*eye(n))*y", "c, x[n], y[n]", "c", "x'*y*exp(c)", "x'*y*exp(c)"),
    Formula("x'*sqrtm(c*eye(n))*y", "c, x[n], y[n]", "c", "x'*y/(2*sqrt(c))"),
]


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.text)
def test_mechanics_reads_as_in_textbooks(formula: Formula) -> None:
    reads_so(formula)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("cross(u, v) + cross(v, u)", "zeros(3)"),
        ("skew(u)'*v", "skew(v)*u"),
        ("v'*skew(u)*v", "0"),
        ("inv(A'*A + t*eye(n))*A'*A + t*inv(A'*A + t*eye(n))", "eye(n)"),
        ("A*inv(A + B) + B*inv(A + B)", "eye(n)"),
        ("(t*sqrt(2))^2", "2*t^2"),
        ("sqrt(2*pi)*t/pi", "2*t/sqrt(2*pi)"),
        ("inv(inv(A)*B*inv(A)')", "A'*inv(B)*A"),
        ("x.*cos(y).^2 + x.*sin(y).^2 + y", "x + y"),
        ("cosh(x).^2 - sinh(x).^2", "ones(n)"),
        ("1 - tanh(x).^2", "1 - tanh(x).^2"),
        ("cos(x).*cos(y) + 2*sin(x).*sin(y)", "2*sin(x).*sin(y) + cos(x).*cos(y)"),
        ("sin(x).*cos(y) - cos(x).*sin(y)", "sin(x - y)"),
        ("sin(x).*cos(x) + y", "y + cos(x).*sin(x)"),
    ],
)
def test_identities_are_known(given: str, written: str) -> None:
    declared = "u[3], v[3], A[n,n], B[n,n], t, x[n], y[n]"
    assert str(tcalc.parse(given, declared)) == written


def test_what_divides_by_zero_is_still_in_words_of_the_language() -> None:
    declared = "x[n], v[3], u[3], b"
    f = tcalc.parse("sum((v'*skew(u)*v)^(-1)*x + b*tanh(x))", declared)
    slope = tcalc.gradient(f, "x")
    assert str(slope) == "b*(1 - tanh(x).^2) + 1/(v'*skew(u)*v)"
    assert tcalc.parse(str(slope), declared).shape == slope.shape
