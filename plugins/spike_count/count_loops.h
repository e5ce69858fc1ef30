//! Steps of a staircase that many values reach, counted on CPUs.
#ifndef SPIKEHALT_COUNT_LOOPS_H
#define SPIKEHALT_COUNT_LOOPS_H

#include <stdint.h>

namespace spikehalt
{

template <typename T>
struct Staircase
{
    T const* at;            //!< [steps, channels], or [steps, 1] if `one`
    int32_t const* weights; //!< [steps]
    int64_t steps;
    int64_t channels; //!< length of a row of x
    bool one;         //!< the same thresholds for all channels
};

//! Sum of the weights of the steps that each of `count` values reaches, which begin a row.
void countToBytes(Staircase<float> const& stairs, float const* x, uint8_t* out, int64_t count);
void countToBytes(Staircase<int32_t> const& stairs, int32_t const* x, uint8_t* out, int64_t count);
//! The same times `unit`.
void countToFloats(Staircase<float> const& stairs, float unit, float const* x, float* out, int64_t count);
void countToFloats(Staircase<int32_t> const& stairs, float unit, int32_t const* x, float* out, int64_t count);

} // namespace spikehalt

#endif
