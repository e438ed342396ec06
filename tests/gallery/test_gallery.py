"""The gallery as a collection: headers, data, and what the command line needs of them."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import ORACLES

import tcalc
from tcalc import gallery
from tcalc.gallery import data

models = pytest.mark.parametrize("model", gallery.models(), ids=lambda model: model.name)


def test_every_model_has_data_and_an_oracle():
    assert set(gallery.names()) == set(data.MAKERS) == set(ORACLES)


@models
def test_headers_are_complete(model):
    assert model.title and model.about and model.source and model.wrt
    assert not model.program.startswith("#")
    assert model.text.endswith(model.program + "\n")


@models
@pytest.mark.parametrize("size", ["small", "medium"])
def test_data_fit_the_program(model, size):
    declared = tcalc.parse(model.text).variables
    arrays = gallery.make_data(model.name, size=size)
    assert set(arrays) == set(declared)
    for name, array in arrays.items():
        expected = [dim.evaluate(model.sizes[size]) for dim in declared[name].dims]
        assert array.dtype == np.float64
        assert list(array.shape) == expected, name


@models
def test_everything_is_declared(model):
    program = tcalc.parse(model.text)
    assert not program.guesses
    assert set(model.wrt) <= set(program.variables)


def test_data_are_seeded():
    one, same, other = (gallery.make_data("ridge", seed) for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["X"], other["X"])


def test_an_unknown_model_is_refused_with_a_suggestion():
    with pytest.raises(tcalc.TcalcError, match="did you mean 'logistic'"):
        gallery.load("logistics")


def test_an_unknown_size_is_refused():
    with pytest.raises(tcalc.TcalcError, match="'small' and 'medium'"):
        gallery.make_data("ridge", size="huge")


def test_a_header_that_lacks_a_part_is_told_of_by_the_name_of_its_file():
    with pytest.raises(ValueError, match=r"poisson\.tc: the header is a title, what"):
        gallery._read("poisson", "# Poisson regression\n# wrt: w\nsum(exp(X*w))\n")
    with pytest.raises(ValueError, match=r"poisson\.tc: the header does not know 'with'"):
        gallery._read("poisson", "# Poisson\n#\n# Counts.\n#\n# with: w\n\nsum(exp(X*w))\n")
