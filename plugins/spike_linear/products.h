//! Rows of activations times the weights of a layer: each row is listed or multiplied, as is cheaper.
#ifndef SPIKEHALT_PRODUCTS_H
#define SPIKEHALT_PRODUCTS_H

#include "weights.h"

#include <algorithm>
#include <vector>

namespace spikehalt
{

//! Lists of rows of one length, each made when it is wanted.
template <typename Kind>
class Lists
{
public:
    Lists(int64_t rows, int64_t inputs);

    typename Kind::List& operator[](int64_t row) { return mLists[static_cast<size_t>(row)]; }

private:
    std::vector<typename Kind::List> mLists;
    Aligned<uint32_t> mOffsets;
    Aligned<typename Kind::X> mValues;
    Aligned<Segment> mSegments;
};

template <>
inline Lists<Bytes>::Lists(int64_t rows, int64_t inputs)
    : mOffsets(rows * placesOf(inputs))
    , mValues(rows * placesOf(inputs))
    , mSegments(rows * segmentsOf(inputs))
{
    for (int64_t row = 0; row < rows; ++row)
    {
        int64_t const place = row * placesOf(inputs);
        mLists.push_back({mOffsets.data() + place, mValues.data() + place,
            mSegments.data() + row * segmentsOf(inputs), 0});
    }
}

template <>
inline Lists<Floats>::Lists(int64_t rows, int64_t inputs)
    : mOffsets(rows * inputs)
    , mValues(rows * inputs)
{
    for (int64_t row = 0; row < rows; ++row)
    {
        mLists.push_back({mOffsets.data() + row * inputs, mValues.data() + row * inputs, 0});
    }
}

//! Rows that share the weights in the caches: a multiple of kDENSE_ROWS.
constexpr int64_t kROWS_AT_ONCE = 24;

//! One output of a layer that is added up from lists.
template <typename Kind>
struct Listed
{
    int64_t row;
    int64_t first; //!< of its taps
    int64_t count;
};

//! Outputs of a layer that have been sorted into listed and dense ones, and the memory to compute them.
template <typename Kind>
class Batch
{
public:
    using X = typename Kind::X;
    using Sum = typename Kind::Sum;
    using ListTap = typename Weights<Kind>::ListTap;

    Batch(Weights<Kind> const& weights, int64_t rows)
        : mWeights(weights)
        , mSums(kDENSE_ROWS * weights.mostColumns())
    {
        mListed.reserve(static_cast<size_t>(rows));
        mDense.reserve(static_cast<size_t>(rows));
        mDenseRows.reserve(static_cast<size_t>(rows));
    }

    void clear()
    {
        mTaps.clear();
        mListed.clear();
        mDense.clear();
        mDenseRows.clear();
        mLargest = 0;
    }

    //! Begin an output whose taps are added next.
    void list(int64_t row) { mListed.push_back({row, static_cast<int64_t>(mTaps.size()), 0}); }

    void addTap(typename Kind::List const* list, int64_t input)
    {
        mTaps.push_back({list, mWeights.row(input)});
        ++mListed.back().count;
    }

    void multiply(int64_t row, X const* x, int32_t largest)
    {
        mDense.push_back(x);
        mDenseRows.push_back(row);
        mLargest = std::max(mLargest, largest);
    }

    //! Compute all; `finish(row, columns, sums)` gets the sums of each row and tile.
    template <typename Finish>
    void run(Finish const& finish)
    {
        runListed(finish);
        runDense(finish);
    }

private:
    template <typename Finish>
    void runListed(Finish const& finish)
    {
        int64_t const end = mListed.empty() ? 0 : mWeights.columns();
        for (int64_t first = 0; first < end;)
        {
            Columns const tile = mWeights.listedTile(first);
            for (Listed<Kind> const& each : mListed)
            {
                mWeights.addListed(mTaps.data() + each.first, each.count, tile, mSums.data());
                finish(each.row, real(tile), mSums.data());
            }
            first += tile.count;
        }
    }

    template <typename Finish>
    void runDense(Finish const& finish)
    {
        auto const rows = static_cast<int64_t>(mDense.size());
        for (int64_t first = 0; rows > 0 && first < mWeights.columns();)
        {
            Columns const tile = mWeights.denseTile(first);
            for (int64_t row = 0; row < rows; row += kDENSE_ROWS)
            {
                int64_t const count = std::min(kDENSE_ROWS, rows - row);
                mWeights.multiply(mDense.data() + row, count, mLargest, tile, mSums.data(), tile.count);
                for (int64_t i = 0; i < count; ++i)
                {
                    finish(mDenseRows[static_cast<size_t>(row + i)], real(tile), mSums.data() + i * tile.count);
                }
            }
            first += tile.count;
        }
    }

    //! Without the columns that are padding.
    Columns real(Columns const& tile) const
    {
        return {tile.first, std::min(tile.count, mWeights.columns() - tile.first)};
    }

    Weights<Kind> const& mWeights;
    Aligned<Sum> mSums;
    std::vector<ListTap> mTaps;
    std::vector<Listed<Kind>> mListed;
    std::vector<X const*> mDense;
    std::vector<int64_t> mDenseRows;
    int32_t mLargest = 0;
};

} // namespace spikehalt

#endif
