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

int64_t roundedUp(int64_t count, int64_t unit)
{
    return (count + unit - 1) / unit * unit;
}

template <typename Kind>
constexpr bool kOF_BYTES = std::is_same<Kind, Bytes>::value;

//! For every panel of columns and four inputs: the four weights of each column.
void packWeights(Weights<Bytes> const& weights, int8_t* out)
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

} // namespace

template <typename Kind>
Weights<Kind>::Weights(W const* weights, int64_t inputs, int64_t columns, int64_t taps)
    : mLoops(&Kind::loops())
    , mInputs(inputs)
    , mColumns(columns)
    , mStride(roundedUp(columns, mLoops->unit))
    , mDenseInputs(kOF_BYTES<Kind> ? roundedUp(inputs, kQUAD) : inputs)
    , mMultiplies(mLoops->multiply != nullptr)
    , mBreakEven(breakEven<Kind>(columns, taps))
    , mRows(weights)
{
    bool const aligned = reinterpret_cast<uintptr_t>(weights) % Aligned<W>::kALIGNMENT == 0;
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
    if constexpr (kOF_BYTES<Kind>)
    {
        mPacked = Aligned<W>(mMultiplies ? mDenseInputs * mStride : 0);
        if (mMultiplies)
        {
            packWeights(*this, mPacked.data());
        }
    }
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
    return {first, std::min(mLoops->tile, mStride - first)};
}

template <typename Kind>
Columns Weights<Kind>::denseTile(int64_t first) const
{
    return {first, std::min(mLoops->denseTile, mStride - first)};
}

template <typename Kind>
int64_t Weights<Kind>::mostColumns() const
{
    return std::min(std::max(mLoops->tile, mLoops->denseTile), mStride);
}

template <typename Kind>
void Weights<Kind>::addListed(ListTap const* taps, int64_t count, Columns const& tile, Sum* sums) const
{
    mLoops->addListed(taps, count, tile.first, tile.count, sums);
}

template <typename Kind>
void Weights<Kind>::multiply(
    X const* const* rows, int64_t count, int32_t largest, Columns const& tile, Sum* sums, int64_t stride) const
{
    if constexpr (kOF_BYTES<Kind>)
    {
        mLoops->multiply(rows, count, mDenseInputs / kQUAD, largest, mPacked.data() + tile.first * mDenseInputs,
            tile.count / mLoops->panel, sums, stride);
    }
    else
    {
        mLoops->multiply(rows, count, mInputs, mRows + tile.first, mStride, tile.count, sums, stride);
    }
}

template class Weights<Bytes>;
template class Weights<Floats>;

} // namespace spikehalt
