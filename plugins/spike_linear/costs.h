//! From which density on dense products are cheaper than listed sums, measured on this machine.
#ifndef SPIKEHALT_COSTS_H
#define SPIKEHALT_COSTS_H

#include <stdint.h>

namespace spikehalt
{

//! The share of non-zero activations below which a row is listed, of a layer with so many columns where a
//! list is added to `taps` outputs. It is measured when a layer of the shape is first made on a machine, which
//! takes a few milliseconds, and kept (onnxruntime/measured.h); SPIKEHALT_BREAK_EVEN takes its place where it is
//! set (0: never list, 1: always). Results do not depend on it.
template <typename Kind>
double breakEven(int64_t columns, int64_t taps);

} // namespace spikehalt

#endif
