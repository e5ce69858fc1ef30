//! Outputs of floats that are added up from lists.
#ifndef SPIKEHALT_LISTED_FLOATS_H
#define SPIKEHALT_LISTED_FLOATS_H

#include "weights.h"

#include <algorithm>

namespace spikehalt
{

//! All outputs are added up over a few inputs, whose weights stay in the first-level cache, then over the next ones.
class ListedFloats
{
public:
    //! Of up to `rows` outputs, each with up to `taps` lists.
    ListedFloats(Scratch& scratch, Weights<Floats> const& weights, int64_t rows, int64_t taps)
        : mWeights(weights)
        , mListInputs(weights.inputs() / taps)
        , mSums(scratch.take<float>(rows * weights.listedTile(0).count))
        , mTaps(scratch.take<FloatTap>(rows * taps))
        , mOutputs(scratch.take<Output>(rows))
    {
    }

    void clear()
    {
        mTapCount = 0;
        mPlaces = 0;
        mCount = 0;
    }

    //! Begin an output whose taps are added next.
    void begin(int64_t row)
    {
        mOutputs[mCount] = {row, mTapCount, mTapCount, mTapCount};
        ++mCount;
    }

    //! Add the weights from `input` on of a list.
    void addTap(FloatList const* list, int64_t input)
    {
        mTaps[mTapCount] = {list, input};
        ++mTapCount;
        mPlaces += list->count;
        mOutputs[mCount - 1].end = mTapCount;
    }

    template <typename Finish>
    void run(Finish const& finish)
    {
        for (int64_t first = 0; mCount > 0 && first < mWeights.columns();)
        {
            Columns const tile = mWeights.listedTile(first);
            add(tile);
            for (int64_t i = 0; i < mCount; ++i)
            {
                finish(mOutputs[i].row, mWeights.real(tile), mSums + i * tile.count);
            }
            first += tile.count;
        }
    }

private:
    struct Output
    {
        int64_t row;
        int64_t first; //!< of its taps
        int64_t end;
        int64_t next; //!< of its taps that have been added
    };

    bool readsMostWeights() const { return mPlaces >= mWeights.inputs(); }

    void add(Columns const& tile)
    {
        std::fill(mSums, mSums + mCount * tile.count, 0.0F);
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
        Ahead const ahead = mWeights.afterListed(input + first, inputs, tile, mCount);
        for (int64_t i = 0; i < mCount; ++i)
        {
            if (readsMostWeights())
            {
                ahead.fetch(i);
            }
            if (hasTap(mOutputs[i], input))
            {
                FloatTap const& tap = mTaps[mOutputs[i].next];
                mWeights.addListed(tap, placesOf(*tap.list, groups), tile, mSums + i * tile.count);
            }
        }
    }

    static Range placesOf(FloatList const& list, Range const& groups)
    {
        return {groups.first == 0 ? 0 : list.ends[groups.first - 1], list.ends[groups.end - 1]};
    }

    bool hasTap(Output const& each, int64_t input) const
    {
        return each.next < each.end && mTaps[each.next].input == input;
    }

    //! Go on to the next tap of the outputs that have the one from `input` on; begin again after the last.
    void passTap(int64_t input)
    {
        for (int64_t i = 0; i < mCount; ++i)
        {
            Output& each = mOutputs[i];
            each.next = input + mListInputs == mWeights.inputs() ? each.first : each.next + hasTap(each, input);
        }
    }

    static constexpr int64_t kFEWEST_PLACES = 8;

    Weights<Floats> const& mWeights;
    int64_t mListInputs; //!< of a tap
    float* mSums;
    FloatTap* mTaps;
    Output* mOutputs;
    int64_t mTapCount = 0;
    int64_t mPlaces = 0; //!< of all taps
    int64_t mCount = 0;
};

} // namespace spikehalt

#endif
