//! Rows of activations times the weights of a layer: each row is listed or multiplied, as is cheaper.
#ifndef SPIKEHALT_PRODUCTS_H
#define SPIKEHALT_PRODUCTS_H

#include "listed_bytes.h"
#include "listed_floats.h"

#include <algorithm>
#include <type_traits>

namespace spikehalt
{

//! Lists of rows of one length.
template <typename Kind>
class Lists
{
public:
    Lists(Scratch& scratch, int64_t rows, int64_t inputs)
        : mLists(scratch.take<typename Kind::List>(rows))
    {
        for (int64_t row = 0; row < rows; ++row)
        {
            mLists[row] = Kind::emptyList(scratch, inputs);
        }
    }

    typename Kind::List& operator[](int64_t row) { return mLists[row]; }

private:
    typename Kind::List* mLists;
};

//! Rows that a thread is given at least: a multiple of kDENSE_ROWS.
constexpr int64_t kFEWEST_ROWS = 24;
//! Rows that it takes at once, which share the weights in its caches: a multiple of kFEWEST_ROWS.
constexpr int64_t kROWS_AT_ONCE = 96;

//! Outputs of a layer that are sorted into listed and dense ones, and the memory to compute them.
template <typename Kind>
class Batch
{
public:
    using X = typename Kind::X;
    using Sum = typename Kind::Sum;

    //! Of up to `rows` outputs, each with up to `taps` lists.
    Batch(Scratch& scratch, Weights<Kind> const& weights, int64_t rows, int64_t taps)
        : mWeights(weights)
        , mListed(scratch, weights, rows, taps)
        , mDenseSums(scratch.take<Sum>(rows * weights.denseTile(0).count))
        , mDense(scratch.take<X>(weights.denseInputs() * rows))
        , mDenseRows(scratch.take<int64_t>(rows))
    {
    }

    void clear()
    {
        mListed.clear();
        mDenseCount = 0;
        mDenseFirst = mDense;
        mLargest = 0;
    }

    //! Begin an output whose taps are added next.
    void list(int64_t row) { mListed.begin(row); }

    //! Add the weights from `input` on of a list to the output begun last.
    void addTap(typename Kind::List const* list, int64_t input) { mListed.addTap(list, input); }

    //! Where to write the activations of an output that is multiplied: denseInputs(), none above `largest`.
    X* multiply(int64_t row, int32_t largest)
    {
        mDenseRows[mDenseCount] = row;
        mLargest = std::max(mLargest, largest);
        return mDense + mDenseCount++ * mWeights.denseInputs();
    }

    //! All outputs are multiplied, and their activations lie one behind the other at `x`.
    void multiplyAll(X const* x, int64_t row, int64_t count, int32_t largest)
    {
        for (int64_t i = 0; i < count; ++i)
        {
            mDenseRows[i] = row + i;
        }
        mDenseFirst = x;
        mDenseCount = count;
        mLargest = largest;
    }

    //! Compute all; `finish(row, columns, sums)` gets the sums of each row and tile.
    template <typename Finish>
    void run(Finish const& finish)
    {
        mListed.run(finish);
        runDense(finish);
    }

private:
    template <typename Finish>
    void runDense(Finish const& finish)
    {
        for (int64_t first = 0; mDenseCount > 0 && first < mWeights.columns();)
        {
            Columns const tile = mWeights.denseTile(first);
            for (int64_t input = 0; input < mWeights.denseInputs();)
            {
                Range const inputs = mWeights.denseRange(input);
                multiplyRange(inputs, tile);
                input = inputs.end;
            }
            for (int64_t i = 0; i < mDenseCount; ++i)
            {
                finish(mDenseRows[i], mWeights.real(tile), mDenseSums + i * tile.count);
            }
            first += tile.count;
        }
    }

    void multiplyRange(Range const& inputs, Columns const& tile)
    {
        for (int64_t row = 0; row < mDenseCount; row += mWeights.denseRows())
        {
            int64_t const count = std::min(mWeights.denseRows(), mDenseCount - row);
            X const* const first = mDenseFirst + row * mWeights.denseInputs();
            mWeights.multiply(first, count, mLargest, inputs, tile, mDenseSums + row * tile.count, tile.count);
        }
    }

    using ListedOutputs = std::conditional_t<std::is_same<Kind, Bytes>::value, ListedBytes, ListedFloats>;

    Weights<Kind> const& mWeights;
    ListedOutputs mListed;
    Sum* mDenseSums;
    X* mDense;
    X const* mDenseFirst = mDense;
    int64_t* mDenseRows;
    int64_t mDenseCount = 0;
    int32_t mLargest = 0;
};

} // namespace spikehalt

#endif
