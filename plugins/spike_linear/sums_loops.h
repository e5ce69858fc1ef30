//! Sums of weight rows over the non-zero activations of a row, and dense products beside them, on CPUs.
//!
//! A row of activations is mostly zeros. Its non-zero places are listed once, and only the weight rows
//! of these places are added: a few at a time, their bytes interleaved and multiplied with their
//! activations. Sums of integers are exact, so they do not depend on the instruction set.
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

//! The non-zero places of bytes.
struct ByteList
{
    uint32_t* inputs;
    uint8_t* values;
    int64_t count;
    int32_t largest; //!< no value is above it
};

//! The non-zero places of floats.
struct FloatList
{
    uint32_t* inputs;
    float* values;
    int32_t* ends; //!< for each kLISTED_INPUTS inputs: the places of them and of those before them
    int32_t count;
};

//! Inputs whose weights a first-level cache holds for a tile of columns.
constexpr int64_t kLISTED_INPUTS = 96;
//! The groups of so many.
constexpr int64_t groupsOf(int64_t inputs) { return (inputs + kLISTED_INPUTS - 1) / kLISTED_INPUTS; }

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

//! Places of bytes that are added together: lists are filled up to multiples with zeros.
constexpr int64_t kPLACES_TOGETHER = 4;
//! Places behind a list of bytes that may be written to.
constexpr int64_t kBEHIND = 64;
//! The room that a list of `count` bytes takes: 255 may be split in three.
constexpr int64_t placesOf(int64_t count) { return 3 * count + kBEHIND; }

//! The most rows of a dense product of vectors.
constexpr int64_t kDENSE_ROWS = 6;
//! Inputs of one of vectors of bytes come in multiples of this.
constexpr int64_t kDENSE_INPUTS = 4;

//! The loops of one instruction set, over bytes and int8 weights.
struct ByteLoops
{
    int64_t unit;  //!< columns come in multiples of this
    int64_t tile;  //!< the most columns at a time of addListed
    int64_t panel; //!< columns that lie together for dense products; divides unit
    int64_t denseTile; //!< the most columns at a time of dense products
    int64_t denseRows; //!< the most rows
    int64_t denseInputs; //!< they come in multiples of this, of four
    int32_t largestDense; //!< the largest activation of a dense product; 0: there is none

    Count (*count)(uint8_t const* x, int64_t count);
    //! Append the places of `count` bytes, the first of which is `first` in the list.
    void (*list)(uint8_t const* x, int64_t count, int64_t first, ByteList& list);
    //! Places of another list, whose first input is `input` here.
    void (*append)(ByteList const& list, uint32_t input, ByteList& to);
    //! Where the weight of a column lies in its tile of so many columns.
    int64_t (*placeOf)(int64_t column, int64_t columns);
    //! The sums over `places` of a list, whole kPLACES_TOGETHER: those from 0 on begin sums, others go on with them.
    //! `packed`: the weights of up to `tile` columns, input by input.
    void (*addListed)(ByteList const& list, Range const& places, int8_t const* packed, int64_t columns, int32_t* sums);
    //! sums[row * stride + column] of up to `denseRows` rows of 4 `quads` bytes that are at most `largest`, one behind
    //! the other, and of `panels` panels that lie 4 `quads` times `panel` weights apart.
    void (*multiply)(uint8_t const* rows, int64_t count, int64_t quads, int32_t largest, int8_t const* packed,
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
    //! sums[row * stride + column] of up to kDENSE_ROWS rows, `apart` from each other; inputs from 0 on begin sums,
    //! others go on with them. `packed`: the weights of so many columns, input by input.
    void (*multiply)(float const* rows, int64_t count, int64_t apart, Range const& inputs, float const* packed,
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
ByteLoops const& amxByteLoops();
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
