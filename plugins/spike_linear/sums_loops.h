//! Sums of weight rows over the non-zero activations of a row, and dense products beside them, on CPUs.
//!
//! A row of activations is mostly zeros. Its non-zero places are listed once, and only the weight rows
//! of these places are added: two at a time, their bytes interleaved, multiplied with the two
//! activations and added up in 16 bits. 255 times a byte fits 16 bits, so places are listed in segments
//! whose activations sum up to 255 at most; between segments the sums move to 32 bits where they would
//! not fit. Sums of integers are exact, so they do not depend on the instruction set.
//!
//! Where activations are floats, every sum begins at zero and takes its terms one after the other, in
//! the order of the inputs, each joined with its product in one rounding (the plain loops round twice).
//! A term of a zero activation changes nothing, so dense products, which have the same order, give the
//! same bits.
#ifndef SPIKEHALT_SUMS_LOOPS_H
#define SPIKEHALT_SUMS_LOOPS_H

#include <stdint.h>

namespace spikehalt
{

//! Places whose activations sum up to kSEGMENT_SUM at most.
struct Segment
{
    int32_t end; //!< its places end before this one; even
    int32_t sum;
};

constexpr int32_t kSEGMENT_SUM = 255;

//! The non-zero places of bytes.
struct ByteList
{
    uint32_t* offsets; //!< of the weight rows, in weights
    uint8_t* values;
    Segment* segments;
    int32_t count; //!< segments
};

//! The non-zero places of floats.
struct FloatList
{
    uint32_t* inputs;
    float* values;
    int32_t* ends; //!< for each kLISTED_INPUTS inputs: the places of them and of those before them
    int32_t count;
};

inline int64_t placesIn(ByteList const& list) { return list.count == 0 ? 0 : list.segments[list.count - 1].end; }
inline int64_t placesIn(FloatList const& list) { return list.count; }

//! Inputs whose weights a first-level cache holds for a tile of columns.
constexpr int64_t kLISTED_INPUTS = 96;
//! The groups of so many.
constexpr int64_t groupsOf(int64_t inputs) { return (inputs + kLISTED_INPUTS - 1) / kLISTED_INPUTS; }

//! A list, and the weights that its offsets count from.
struct ByteTap
{
    ByteList const* list;
    int8_t const* weights;
};

//! A list, and the input of the layer that its first one is.
struct FloatTap
{
    FloatList const* list;
    int64_t input;
};

//! From `first` to before `end`.
struct Range
{
    int64_t first;
    int64_t end;
};

//! What decides how a row is multiplied.
struct Count
{
    int64_t nonZero;
    int32_t largest; //!< of bytes
};

//! The most places that a list of `count` bytes has: 255 may take three, of which one is alone in its segment.
constexpr int64_t placesOf(int64_t count) { return 4 * count + 2; }
//! The most segments.
constexpr int64_t segmentsOf(int64_t count) { return 2 * count + 1; }

//! The most rows of a dense product.
constexpr int64_t kDENSE_ROWS = 6;

//! The loops of one instruction set, over bytes and int8 weights.
struct ByteLoops
{
    int64_t unit;  //!< columns come in multiples of this
    int64_t tile;  //!< the most columns at a time of addListed
    int64_t panel; //!< columns that lie together for dense products; divides unit
    int64_t denseTile; //!< the most columns at a time of dense products
    int32_t largestDense; //!< the largest activation of a dense product; 0: there is none

    Count (*count)(uint8_t const* x, int64_t count);
    //! List `count` bytes whose weight rows are `stride` apart.
    void (*list)(uint8_t const* x, int64_t count, int64_t stride, ByteList& list);
    //! sums[column] = the sum over all taps, of up to `tile` columns from `first` on.
    void (*addListed)(ByteTap const* taps, int64_t count, int64_t first, int64_t columns, int32_t* sums);
    //! sums[row * stride + column] of up to kDENSE_ROWS rows of 4 `quads` bytes that are at most `largest`,
    //! and of `panels` panels that lie 4 `quads` times `panel` weights apart.
    void (*multiply)(uint8_t const* const* rows, int64_t count, int64_t quads, int32_t largest, int8_t const* packed,
        int64_t panels, int32_t* sums, int64_t stride);
};

//! The loops of one instruction set, over floats and float weights.
struct FloatLoops
{
    int64_t unit;
    int64_t tile;
    int64_t denseTile;

    int64_t (*count)(float const* x, int64_t count);
    void (*list)(float const* x, int64_t count, FloatList& list);
    //! sums[column] += the sum over the list's `places`; `packed`: the weights of up to `tile` columns, from the
    //! list's first input on.
    void (*addListed)(FloatList const& list, Range const& places, float const* packed, int64_t columns, float* sums);
    //! sums[row * stride + column] of up to kDENSE_ROWS rows; inputs from 0 on begin sums, others go on with them.
    //! `packed`: the weights of so many columns, input by input.
    void (*multiply)(float const* const* rows, int64_t count, Range const& inputs, float const* packed,
        int64_t columns, float* sums, int64_t stride);
};

ByteLoops const& plainByteLoops();
FloatLoops const& plainFloatLoops();
#if defined(__x86_64__)
ByteLoops const& avx2ByteLoops();
FloatLoops const& avx2FloatLoops();
ByteLoops const& avx512ByteLoops();
FloatLoops const& avx512FloatLoops();
ByteLoops const& vnniByteLoops();
#elif defined(__aarch64__)
ByteLoops const& neonByteLoops();
FloatLoops const& neonFloatLoops();
ByteLoops const& dotprodByteLoops();
#endif

//! Those of this CPU (onnxruntime/instructions.h).
ByteLoops const& byteLoops();
FloatLoops const& floatLoops();

} // namespace spikehalt

#endif
