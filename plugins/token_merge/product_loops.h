//! Products of token rows on CPUs.
#ifndef SPIKEHALT_PRODUCT_LOOPS_H
#define SPIKEHALT_PRODUCT_LOOPS_H

#include <stdint.h>

namespace spikehalt
{

//! Rows that one row is multiplied with at a time: as many sums as registers hold.
constexpr int64_t kPRODUCTS = 4;

//! dots[i] = a . rows[i], always summed in the same order.
void multiplyRows(float const* a, float const* const* rows, int64_t width, float* dots);
//! a . a, summed in the same order.
float squareOfRow(float const* a, int64_t width);

} // namespace spikehalt

#endif
