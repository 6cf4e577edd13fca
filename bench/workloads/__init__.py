"""The workloads, by name."""

from workloads.draining import CHAIN, DRAIN, FAN
from workloads.lasting import MEMORY, SNAPSHOT, STEADY
from workloads.making import BULK, SINGLE
from workloads.profiling import PROFILE
from workloads.scaling import SCALE
from workloads.waiting import LATENCY
from workloads.workload import QUICK, Size, Workload

__all__ = ["QUICK", "WORKLOADS", "Size", "Workload"]

WORKLOADS = {
    workload.name: workload
    for workload in (SINGLE, BULK, DRAIN, CHAIN, FAN, LATENCY, STEADY, SNAPSHOT, SCALE, MEMORY, PROFILE)
}
