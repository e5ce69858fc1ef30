#include "weights.h"

#include "costs.h"

#include <algorithm>
#include <string.h>
#include <type_traits>

namespace spikehalt
{
namespace
{

constexpr int64_t kQUAD = 4;
constexpr int64_t kCACHE_BYTES = 640 * 1024;
constexpr int64_t kFEWEST_COLUMNS = 64;
//! Of 64 columns, half of a first-level cache.
constexpr int64_t kFLOAT_INPUTS = 256;

int64_t roundedUp(int64_t count, int64_t unit)
{
    return (count + unit - 1) / unit * unit;
}

template <typename Kind>
constexpr bool kOF_BYTES = std::is_same<Kind, Bytes>::value;

//! For every panel of columns and four inputs: the four weights of each column.
void pack(Weights<Bytes> const& weights, int8_t* out)
{
    int64_t const width = weights.loops().panel;
    for (int64_t panel = 0; panel < weights.stride(); panel += width)
    {
        for (int64_t first = 0; first < weights.denseInputs(); first += kQUAD)
        {
            for (int64_t column = panel; column < panel + width; ++column)
            {
                for (int64_t k = first; k < first + kQUAD; ++k)
                {
                    *out++ = k < weights.inputs() ? weights.row(k)[column] : int8_t{0};
                }
            }
        }
    }
}

//! For every tile of columns and input: the weight of each column.
void pack(Weights<Floats> const& weights, float* out)
{
    for (int64_t first = 0; first < weights.stride();)
    {
        Columns const tile = weights.denseTile(first);
        for (int64_t k = 0; k < weights.inputs(); ++k, out += tile.count)
        {
            std::copy(weights.row(k) + first, weights.row(k) + first + tile.count, out);
        }
        first += tile.count;
    }
}

//! As many columns at a time as a list takes from a second-level cache, which all rows of a batch share.
template <typename Kind>
int64_t listedColumns(typename Kind::Loops const& loops, int64_t inputs, int64_t stride)
{
    auto const bytes = static_cast<int64_t>(sizeof(typename Kind::W)) * std::max<int64_t>(inputs, 1);
    if (bytes * stride <= kCACHE_BYTES)
    {
        return loops.tile;
    }
    int64_t const fitting = kCACHE_BYTES / bytes / kFEWEST_COLUMNS * kFEWEST_COLUMNS;
    return std::min(std::max(fitting, kFEWEST_COLUMNS), loops.tile);
}

} // namespace

template <typename Kind>
Weights<Kind>::Weights(W const* weights, int64_t inputs, int64_t columns, int64_t taps)
    : mLoops(&Kind::loops())
    , mInputs(inputs)
    , mColumns(columns)
    , mStride(roundedUp(columns, mLoops->unit))
    , mDenseInputs(kOF_BYTES<Kind> ? roundedUp(inputs, kQUAD) : inputs)
    , mMultiplies(mLoops->multiply != nullptr)
    , mListedTile(listedColumns<Kind>(*mLoops, inputs, mStride))
    , mBreakEven(breakEven<Kind>(columns, taps))
    , mRows(weights)
{
    bool const aligned = reinterpret_cast<uintptr_t>(weights) % kLINE == 0;
    if (mStride != columns || !aligned)
    {
        mCopy = Aligned<W>(inputs * mStride);
        for (int64_t k = 0; k < inputs; ++k)
        {
            W* const row = mCopy.data() + k * mStride;
            std::copy(weights + k * columns, weights + (k + 1) * columns, row);
            std::fill(row + columns, row + mStride, W{0});
        }
        mRows = mCopy.data();
    }
}

template <typename Kind>
typename Kind::W const* Weights<Kind>::packed() const
{
    std::call_once(mPackedOnce, [&] {
        mPacked = Aligned<W>(mDenseInputs * mStride);
        pack(*this, mPacked.data());
    });
    return mPacked.data();
}

template <typename Kind>
bool Weights<Kind>::tooLarge(Count const& count) const
{
    if constexpr (kOF_BYTES<Kind>)
    {
        return count.largest > mLoops->largestDense;
    }
    return false;
}

template <typename Kind>
Columns Weights<Kind>::listedTile(int64_t first) const
{
    return {first, std::min(mListedTile, mStride - first)};
}

template <typename Kind>
Columns Weights<Kind>::denseTile(int64_t first) const
{
    return {first, std::min(mLoops->denseTile, mStride - first)};
}

template <typename Kind>
void Weights<Kind>::addListed(ListTap const* taps, int64_t count, Columns const& tile, Sum* sums) const
{
    mLoops->addListed(taps, count, tile.first, tile.count, sums);
}

template <typename Kind>
Range Weights<Kind>::denseRange(int64_t first) const
{
    return {first, kOF_BYTES<Kind> ? mDenseInputs : std::min(first + kFLOAT_INPUTS, mDenseInputs)};
}

template <typename Kind>
void Weights<Kind>::multiply(X const* const* rows, int64_t count, int32_t largest, Range const& inputs,
    Columns const& tile, Sum* sums, int64_t stride) const
{
    W const* const weights = packed() + tile.first * mDenseInputs;
    if constexpr (kOF_BYTES<Kind>)
    {
        mLoops->multiply(rows, count, mDenseInputs / kQUAD, largest, weights, tile.count / mLoops->panel, sums, stride);
    }
    else
    {
        mLoops->multiply(rows, count, inputs, weights, tile.count, sums, stride);
    }
}

template class Weights<Bytes>;
template class Weights<Floats>;

} // namespace spikehalt
