//! Rows of activations times the weights of a layer: each row is listed or multiplied, as is cheaper.
#ifndef SPIKEHALT_PRODUCTS_H
#define SPIKEHALT_PRODUCTS_H

#include "weights.h"

#include <algorithm>

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
constexpr int64_t kROWS_AT_ONCE = 72;

//! Outputs of a layer that are sorted into listed and dense ones, and the memory to compute them.
template <typename Kind>
class Batch
{
public:
    using X = typename Kind::X;
    using Sum = typename Kind::Sum;
    using Tap = typename Kind::Tap;

    //! Of up to `rows` outputs, each with up to `taps` lists.
    Batch(Scratch& scratch, Weights<Kind> const& weights, int64_t rows, int64_t taps)
        : mWeights(weights)
        , mListInputs(weights.inputs() / taps)
        , mSums(scratch.take<Sum>((kOF_BYTES ? 1 : rows) * weights.listedTile(0).count))
        , mDenseSums(scratch.take<Sum>(rows * weights.denseTile(0).count))
        , mTaps(scratch.take<Tap>(rows * taps))
        , mListed(scratch.take<Listed>(rows))
        , mDense(scratch.take<X const*>(rows))
        , mDenseRows(scratch.take<int64_t>(rows))
    {
    }

    void clear()
    {
        mTapCount = 0;
        mPlaces = 0;
        mListedCount = 0;
        mDenseCount = 0;
        mLargest = 0;
    }

    //! Begin an output whose taps are added next.
    void list(int64_t row)
    {
        mListed[mListedCount] = {row, mTapCount, mTapCount, mTapCount};
        ++mListedCount;
    }

    //! Add the weights from `input` on of a list to the output begun last.
    void addTap(typename Kind::List const* list, int64_t input)
    {
        mTaps[mTapCount] = mWeights.tap(list, input);
        ++mTapCount;
        mPlaces += placesIn(*list);
        mListed[mListedCount - 1].end = mTapCount;
    }

    void multiply(int64_t row, X const* x, int32_t largest)
    {
        mDense[mDenseCount] = x;
        mDenseRows[mDenseCount] = row;
        ++mDenseCount;
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
    //! An output that is added up from lists.
    struct Listed
    {
        int64_t row;
        int64_t first; //!< of its taps
        int64_t end;
        int64_t next; //!< of its taps that have been added
    };

    template <typename Finish>
    void runListed(Finish const& finish)
    {
        for (int64_t first = 0; mListedCount > 0 && first < mWeights.columns();)
        {
            Columns const tile = mWeights.listedTile(first);
            if constexpr (kOF_BYTES)
            {
                addOneByOne(tile, finish);
            }
            else
            {
                addTogether(tile, finish);
            }
            first += tile.count;
        }
    }

    bool readsMostWeights() const { return mPlaces >= mWeights.inputs(); }

    //! Each output over all of its taps, which stays in registers.
    template <typename Finish>
    void addOneByOne(Columns const& tile, Finish const& finish)
    {
        if (readsMostWeights())
        {
            mWeights.fetchListed(tile);
        }
        for (int64_t i = 0; i < mListedCount; ++i)
        {
            Listed const& each = mListed[i];
            mWeights.addListed(mTaps + each.first, each.end - each.first, tile, mSums);
            finish(each.row, real(tile), mSums);
        }
    }

    //! All outputs over a few inputs, whose weights stay in the first-level cache, then over the next ones.
    template <typename Finish>
    void addTogether(Columns const& tile, Finish const& finish)
    {
        std::fill(mSums, mSums + mListedCount * tile.count, Sum{0});
        int64_t const groups = groupsOf(mListInputs);
        int64_t const span = groupsAtOnce(groups);
        for (int64_t input = 0; mTapCount > 0 && input < mWeights.inputs(); input += mListInputs)
        {
            for (int64_t group = 0; group < groups; group += span)
            {
                addGroups(input, {group, std::min(group + span, groups)}, tile);
            }
            passTap(input);
        }
        for (int64_t i = 0; i < mListedCount; ++i)
        {
            finish(mListed[i].row, real(tile), mSums + i * tile.count);
        }
    }

    //! More where they have few places: loading and storing sums would cost more than the caches gain.
    int64_t groupsAtOnce(int64_t groups) const
    {
        return std::min(groups, 1 + kFEWEST_PLACES * mTapCount * groups / std::max<int64_t>(mPlaces, 1));
    }

    //! Add places of the tap from `input` on, of the outputs that have it.
    void addGroups(int64_t input, Range const& groups, Columns const& tile)
    {
        int64_t const first = groups.first * kLISTED_INPUTS;
        int64_t const inputs = std::min(groups.end * kLISTED_INPUTS, mListInputs) - first;
        Ahead const ahead = mWeights.afterListed(input + first, inputs, tile);
        for (int64_t i = 0; i < mListedCount; ++i)
        {
            if (readsMostWeights())
            {
                ahead.fetch(i, mListedCount);
            }
            if (hasTap(mListed[i], input))
            {
                Tap const& tap = mTaps[mListed[i].next];
                mWeights.addListed(tap, placesOf(*tap.list, groups), tile, mSums + i * tile.count);
            }
        }
    }

    static Range placesOf(FloatList const& list, Range const& groups)
    {
        return {groups.first == 0 ? 0 : list.ends[groups.first - 1], list.ends[groups.end - 1]};
    }

    bool hasTap(Listed const& each, int64_t input) const
    {
        return each.next < each.end && mTaps[each.next].input == input;
    }

    //! Go on to the next tap of the outputs that have the one from `input` on; begin again after the last.
    void passTap(int64_t input)
    {
        for (int64_t i = 0; i < mListedCount; ++i)
        {
            Listed& each = mListed[i];
            each.next = input + mListInputs == mWeights.inputs() ? each.first : each.next + hasTap(each, input);
        }
    }

    template <typename Finish>
    void runDense(Finish const& finish)
    {
        for (int64_t first = 0; mDenseCount > 0 && first < mWeights.columns();)
        {
            Columns const tile = mWeights.denseTile(first);
            for (int64_t input = 0; input < mWeights.denseInputs();)
            {
                Range const inputs = mWeights.denseRange(input);
                multiplyAll(inputs, tile);
                input = inputs.end;
            }
            for (int64_t i = 0; i < mDenseCount; ++i)
            {
                finish(mDenseRows[i], real(tile), mDenseSums + i * tile.count);
            }
            first += tile.count;
        }
    }

    void multiplyAll(Range const& inputs, Columns const& tile)
    {
        for (int64_t row = 0; row < mDenseCount; row += kDENSE_ROWS)
        {
            int64_t const count = std::min(kDENSE_ROWS, mDenseCount - row);
            mWeights.multiply(
                mDense + row, count, mLargest, inputs, tile, mDenseSums + row * tile.count, tile.count);
        }
    }

    //! Without the columns that are padding.
    Columns real(Columns const& tile) const
    {
        return {tile.first, std::min(tile.count, mWeights.columns() - tile.first)};
    }

    static constexpr bool kOF_BYTES = std::is_same<Kind, Bytes>::value;
    static constexpr int64_t kFEWEST_PLACES = 8;

    Weights<Kind> const& mWeights;
    int64_t mListInputs; //!< of a tap
    Sum* mSums;
    Sum* mDenseSums;
    Tap* mTaps;
    Listed* mListed;
    X const** mDense;
    int64_t* mDenseRows;
    int64_t mTapCount = 0;
    int64_t mPlaces = 0; //!< of all taps
    int64_t mListedCount = 0;
    int64_t mDenseCount = 0;
    int32_t mLargest = 0;
};

} // namespace spikehalt

#endif
