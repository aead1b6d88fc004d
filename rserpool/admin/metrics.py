"""C{/metrics}: numbers for Prometheus, by its client library (OpenMetrics names and units; labels are bounded)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from rserpool.admin.answers import Answer, Refused
from rserpool.core.frozen import frozen

LARGEST: Final = 50
"""So many pools have a label of their own, and so many registrars; what is left over has none."""

Labels: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """Numbers of one name.

    @ivar kind: C{gauge}, C{counter} or C{histogram}.
    @ivar name: without C{_total}.
    @ivar labels: the names of its labels.
    @ivar values: a number for the values of these; a histogram has L{Classes} instead.
    """

    kind: str
    name: str
    text: str
    labels: Labels = ()
    values: Mapping[Labels, float] = field(default_factory=dict)
    classes: Classes | None = None


@frozen
class Classes:
    """What a histogram has: how many are in each class, not added up; the last one has no bound."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


def gauge(name: str, text: str, value: float) -> Metric:
    """One that goes up and down."""
    return Metric("gauge", name, text, (), {(): value})


def counter(name: str, text: str, value: float) -> Metric:
    """One that counts up."""
    return Metric("counter", name, text, (), {(): value})


def by_label(kind: str, name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    """One number for each value of a label."""
    return Metric(kind, name, text, (label,), {(value,): number for value, number in values.items()})


class Metrics:
    """Answers C{/metrics}.

    @param collect: tells the numbers as they are now.
    """

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect
        self._registry: Any = None

    def answer(self, accept: str) -> Answer:
        """
        @param accept: the header C{Accept}.
        @raise Refused: if the library is not installed.
        """
        try:
            from prometheus_client import CollectorRegistry, ProcessCollector
            from prometheus_client.exposition import choose_encoder
        except ImportError:
            raise Refused(503, "prometheus-client is missing here: pip install 'rserpool[metrics]'") from None
        if self._registry is None:
            self._registry = CollectorRegistry()
            self._registry.register(self)
            ProcessCollector(registry=self._registry)
        encode, content = choose_encoder(accept)
        return Answer(encode(self._registry), content.encode("ascii"))

    def describe(self) -> list[Any]:
        """Nothing: what there is depends on the role."""
        return []

    def collect(self) -> Iterator[Any]:
        """See C{prometheus_client.registry.Collector}."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        for metric in self._collect():
            if metric.classes is not None:
                buckets, so_far = [], 0
                for bound, count in zip((*metric.classes.bounds, None), metric.classes.counts, strict=True):
                    so_far += count
                    buckets.append(("+Inf" if bound is None else str(bound), so_far))
                yield HistogramMetricFamily(metric.name, metric.text, buckets=buckets, sum_value=metric.classes.total)
                continue
            make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = make(metric.name, metric.text, labels=metric.labels)
            for values, number in metric.values.items():
                family.add_metric(values, number)
            yield family
