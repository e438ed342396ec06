"""Recurrences: programs whose loop is kept, and differentiated and run step by step."""

from tcalc.recurrences.each_step import RecurrenceSteps
from tcalc.recurrences.gradient import RecurrenceGradient, RecurrenceProduct
from tcalc.recurrences.recurrence import Recurrence

__all__ = ["Recurrence", "RecurrenceGradient", "RecurrenceProduct", "RecurrenceSteps"]
