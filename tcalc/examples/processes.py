"""Hyperparameters of a Gaussian process, and variances of a Kalman filter."""

from __future__ import annotations

import numpy as np

import tcalc
from tcalc.examples import Finding, Outcome
from tcalc.examples.registry import example

GAUSSIAN_PROCESS = """
tensor x[n], y[n], l, a, s          # the logarithms of length, amplitude and noise

K[i,j] = exp(2*a - (x[i] - x[j])^2/(2*exp(2*l))) + exp(2*s)*delta[i,j]
y'*inv(K)*y/2 + logdet(K)/2 + n*log(2*pi)/2
"""


def gp_data() -> dict[str, np.ndarray]:
    """A noisy sine at forty places."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 10, 40))
    return {"x": x, "y": np.sin(x) + 0.2 * rng.standard_normal(40)}


@example(
    GAUSSIAN_PROCESS,
    "a simplex search (Nelder, Mead) in plain NumPy, which the tests repeat",
)
def gaussian_process() -> Outcome:
    """Hyperparameters of a Gaussian process by L-BFGS-B and by Newton's method.

    Length, amplitude and noise of an RBF kernel maximise the marginal likelihood of noisy values
    of a sine.
    """
    f = tcalc.parse(GAUSSIAN_PROCESS)
    p = tcalc.problem(f, ["l", "a", "s"], {**gp_data(), "s": -1.0})
    first = p.minimize("L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-8})
    second = p.minimize("trust-exact", options={"gtol": 1e-9})
    return Outcome(
        [
            f"L-BFGS-B: {first.nit} steps, {first.nfev} evaluations",
            f"Newton in a trust region: {second.nit} steps",
        ],
        [
            Finding("negative log-likelihood", second.fun, GP_VALUE, 1e-9),
            Finding("length, amplitude, noise", np.exp(second.x), GP_PARAMETERS, 1e-6),
            Finding("the same by L-BFGS-B", np.exp(first.x), np.exp(second.x), 1e-5),
        ],
    )


GP_VALUE = 10.734574807238
GP_PARAMETERS = (1.59474669, 0.92171329, 0.21911101)

NILE = """
1120 1160 963 1210 1160 1160 813 1230 1370 1140 995 935 1110 994 1020 960 1180 799 958 1140 1100
1210 1150 1250 1260 1220 1030 1100 774 840 874 694 940 833 701 916 692 1020 1050 969 831 726 456 824
702 1120 1100 832 764 821 768 845 864 862 698 845 744 796 1040 759 781 865 845 944 984 897 822 1010
771 676 649 846 812 742 801 1040 860 874 848 890 744 749 838 1050 918 986 797 923 975 815 1020 906
901 1170 912 746 919 718 714 740
"""
"""The yearly flow of the Nile at Aswan, 1871 to 1970, in 10^8 cubic metres."""

LOCAL_LEVEL = """
tensor y[100], q, r                 # the logarithms of the variances of level and observation

a{2} = y[1]
P{2} = exp(q) + exp(r)
f{1} = 0
for t = 2:100
    v{t} = y[t] - a{t}
    F{t} = P{t} + exp(r)
    f{t} = f{t-1} + (log(2*pi*F{t}) + v{t}^2/F{t})/2
    a{t+1} = a{t} + P{t}*v{t}/F{t}
    P{t+1} = P{t}*exp(r)/F{t} + exp(q)
end
f{100}
"""


@example(
    LOCAL_LEVEL,
    "Durbin, Koopman, Time Series Analysis by State Space Methods, 2001, section 2.10: variances "
    "15099 and 1469.1",
)
def kalman() -> Outcome:
    """The variances of a Kalman filter by Newton's method.

    The local level model of the flow of the Nile: a level that wanders, and observations around
    it.  The filter is unrolled over its hundred years.
    """
    y = np.array(NILE.split(), float)
    f = tcalc.parse(LOCAL_LEVEL)
    p = tcalc.problem(f, ["q", "r"], {"y": y, "q": 8.0, "r": 9.0})
    found = p.minimize("trust-krylov", options={"gtol": 1e-9})
    level, observation = np.exp(found.x)
    return Outcome(
        [f"Newton in a trust region: {found.nit} steps, log-likelihood {-found.fun:.4f}"],
        [
            Finding("variance of the observations", observation, 15099.0, 1e-4),
            Finding("variance of the level", level, 1469.1, 1e-4),
        ],
    )
