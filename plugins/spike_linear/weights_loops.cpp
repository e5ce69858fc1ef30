#include "weights.h"

#include "costs.h"

#include <algorithm>
#include <string.h>
#include <type_traits>
#include <vector>

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
    for (int64_t panel = 0; panel < weights.paddedColumns(); panel += width)
    {
        for (int64_t first = 0; first < weights.denseInputs(); first += kQUAD)
        {
            for (int64_t column = panel; column < panel + width; ++column)
            {
                for (int64_t k = first; k < first + kQUAD; ++k)
                {
                    bool const real = k < weights.inputs() && column < weights.columns();
                    *out++ = real ? weights.row(k)[column] : int8_t{0};
                }
            }
        }
    }
}

int64_t placeOf(ByteLoops const& loops, int64_t column, int64_t columns)
{
    return loops.placeOf(column, columns);
}

int64_t placeOf(FloatLoops const&, int64_t column, int64_t)
{
    return column;
}

//! For every tile of columns and input: the weight of each column, zeros behind.
template <typename Kind, typename Tile>
void packTiles(Weights<Kind> const& weights, Tile const& tileAt, typename Kind::W* out)
{
    std::vector<size_t> places(static_cast<size_t>(tileAt(0).count));
    for (int64_t first = 0; first < weights.paddedColumns();)
    {
        Columns const tile = tileAt(first);
        int64_t const real = std::min(tile.count, weights.columns() - first);
        for (int64_t column = 0; column < tile.count; ++column)
        {
            places[static_cast<size_t>(column)] = static_cast<size_t>(placeOf(weights.loops(), column, tile.count));
        }
        for (int64_t k = 0; k < weights.inputs(); ++k, out += tile.count)
        {
            for (int64_t column = 0; column < tile.count; ++column)
            {
                size_t const place = places[static_cast<size_t>(column)];
                out[place] = column < real ? weights.row(k)[first + column] : typename Kind::W{0};
            }
        }
        first += tile.count;
    }
}

int64_t denseInputsOf(ByteLoops const& loops, int64_t inputs)
{
    return roundedUp(inputs, loops.denseInputs);
}

int64_t denseInputsOf(FloatLoops const&, int64_t inputs)
{
    return inputs;
}

//! As many columns at a time as a list takes from a second-level cache, which all rows of a batch share.
int64_t listedColumns(ByteLoops const& loops, int64_t inputs, int64_t columns)
{
    int64_t const bytes = std::max<int64_t>(inputs, 1);
    if (bytes * columns <= kCACHE_BYTES)
    {
        return loops.tile;
    }
    int64_t const fitting = kCACHE_BYTES / bytes / kFEWEST_COLUMNS * kFEWEST_COLUMNS;
    return std::min(std::max(fitting, kFEWEST_COLUMNS), loops.tile);
}

//! Groups of inputs take their weights from a first-level cache.
int64_t listedColumns(FloatLoops const& loops, int64_t, int64_t)
{
    return loops.tile;
}

} // namespace

template <typename Kind>
Weights<Kind>::Weights(W const* weights, int64_t inputs, int64_t columns, int64_t taps)
    : mLoops(&Kind::loops())
    , mInputs(inputs)
    , mColumns(columns)
    , mPaddedColumns(roundedUp(columns, mLoops->unit))
    , mDenseInputs(denseInputsOf(*mLoops, inputs))
    , mMultiplies(mLoops->multiply != nullptr)
    , mListedTile(listedColumns(*mLoops, inputs, mPaddedColumns))
    , mBreakEven(breakEven<Kind>(columns, taps))
    , mRows(weights)
{
    mListed = WeightMemory<W>(inputs * mPaddedColumns);
    packTiles(*this, [this](int64_t first) { return listedTile(first); }, mListed.data());
}

template <typename Kind>
typename Kind::W const* Weights<Kind>::packed() const
{
    if constexpr (!kOF_BYTES<Kind>)
    {
        if (mLoops->denseTile == mLoops->tile)
        {
            return mListed.data();
        }
    }
    std::call_once(mPackedOnce, [&] {
        mPacked = WeightMemory<W>(mDenseInputs * mPaddedColumns);
        if constexpr (kOF_BYTES<Kind>)
        {
            pack(*this, mPacked.data());
        }
        else
        {
            packTiles(*this, [this](int64_t first) { return denseTile(first); }, mPacked.data());
        }
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
    return {first, std::min(mListedTile, mPaddedColumns - first)};
}

template <typename Kind>
Columns Weights<Kind>::denseTile(int64_t first) const
{
    return {first, std::min(mLoops->denseTile, mPaddedColumns - first)};
}

template <>
void Weights<Bytes>::list(uint8_t const* x, int64_t inputs, ByteList& list) const
{
    list.count = 0;
    list.largest = 0;
    mLoops->list(x, inputs, 0, list);
}

template <>
void Weights<Floats>::list(float const* x, int64_t inputs, FloatList& list) const
{
    mLoops->list(x, inputs, list);
}

template <>
void Weights<Bytes>::addListed(ByteList const& list, Range const& places, Columns const& tile, int32_t* sums) const
{
    mLoops->addListed(list, places, mListed.data() + tile.first * mInputs, tile.count, sums);
}

template <>
void Weights<Floats>::addListed(FloatTap const& tap, Range const& places, Columns const& tile, float* sums) const
{
    float const* const packed = mListed.data() + tile.first * mInputs + tap.input * tile.count;
    mLoops->addListed(*tap.list, places, packed, tile.count, sums);
}

template <typename Kind>
Ahead Weights<Kind>::afterListed(int64_t input, int64_t inputs, Columns const& tile, int64_t parts) const
{
    int64_t const behind = tile.first * mInputs + (input + inputs) * tile.count;
    int64_t const count = std::min(inputs * tile.count, mInputs * mPaddedColumns - behind);
    return {mListed.data() + behind, count * static_cast<int64_t>(sizeof(W)), parts};
}

template <typename Kind>
int64_t Weights<Kind>::denseRows() const
{
    if constexpr (kOF_BYTES<Kind>)
    {
        return mLoops->denseRows;
    }
    return kDENSE_ROWS;
}

template <typename Kind>
Range Weights<Kind>::denseRange(int64_t first) const
{
    return {first, kOF_BYTES<Kind> ? mDenseInputs : std::min(first + kFLOAT_INPUTS, mDenseInputs)};
}

template <typename Kind>
void Weights<Kind>::multiply(X const* rows, int64_t count, int32_t largest, Range const& inputs,
    Columns const& tile, Sum* sums, int64_t stride) const
{
    W const* const weights = packed() + tile.first * mDenseInputs;
    if constexpr (kOF_BYTES<Kind>)
    {
        mLoops->multiply(rows, count, mDenseInputs / kQUAD, largest, weights, tile.count / mLoops->panel, sums, stride);
    }
    else
    {
        mLoops->multiply(rows, count, mDenseInputs, inputs, weights, tile.count, sums, stride);
    }
}

template class Weights<Bytes>;
template class Weights<Floats>;

} // namespace spikehalt
