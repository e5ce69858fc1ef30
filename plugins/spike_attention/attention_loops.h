//! Attention between spikes, on CPUs.
#ifndef SPIKEHALT_ATTENTION_LOOPS_H
#define SPIKEHALT_ATTENTION_LOOPS_H

#include <stdint.h>

namespace spikehalt
{

template <typename T>
struct Attention
{
    T const* spikes; //!< [rows, 3 * width], small integers, mostly zero
    float* mixed;    //!< [rows, width]
    int64_t width;
    int64_t depth; //!< columns of a head
};

//! Floats that `attend` needs to work with.
int64_t scratchFloats(int64_t depth);

//! One head of the rows `first` to before `end`, which are one image.
void attend(Attention<float> const& attention, int64_t first, int64_t end, int64_t head, float* scratch);
void attend(Attention<uint8_t> const& attention, int64_t first, int64_t end, int64_t head, float* scratch);

} // namespace spikehalt

#endif
