//! From sums to currents, on CPUs.
#ifndef SPIKEHALT_FINISH_LOOPS_H
#define SPIKEHALT_FINISH_LOOPS_H

#include <stdint.h>

namespace spikehalt
{

//! current[i] = sums[i] * scale[i] + bias[i], rounded after each operation.
void scaleAndShift(int32_t const* sums, float const* scale, float const* bias, float* current, int64_t count);
//! current[i] = sums[i] + bias[i].
void shift(float const* sums, float const* bias, float* current, int64_t count);

} // namespace spikehalt

#endif
