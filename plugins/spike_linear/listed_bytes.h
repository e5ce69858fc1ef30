//! Outputs of bytes that are added up from lists.
#ifndef SPIKEHALT_LISTED_BYTES_H
#define SPIKEHALT_LISTED_BYTES_H

#include "weights.h"

#include <algorithm>

namespace spikehalt
{

//! The lists of an output's taps become one, which is cut where a block of inputs ends: all outputs are added up over a
//! block, whose weights stay close, then over the next one.
class ListedBytes
{
public:
    //! Of up to `rows` outputs.
    ListedBytes(Scratch& scratch, Weights<Bytes> const& weights, int64_t rows, int64_t)
        : mWeights(weights)
        , mBlocks(std::max<int64_t>(1, (weights.inputs() + kBLOCK_INPUTS / 2) / kBLOCK_INPUTS))
        , mBlockInputs((weights.inputs() + mBlocks - 1) / mBlocks)
        , mRoom(placesOf(weights.inputs()) + mBlocks * kPLACES_TOGETHER)
        , mSums(scratch.take<int32_t>(rows * weights.listedTile(0).count))
        , mInputs(scratch.take<uint32_t>(rows * mRoom))
        , mValues(scratch.take<uint8_t>(rows * mRoom))
        , mEnds(scratch.take<int64_t>(rows * mBlocks))
        , mOutputs(scratch.take<Output>(rows))
        , mZeros(scratch.take<int32_t>(weights.columns()))
        , mEmpty(scratch.take<int64_t>(rows))
    {
    }

    void clear()
    {
        mPlaces = 0;
        mCount = 0;
        mEmptyCount = 0;
    }

    //! Begin an output whose taps are added next, in their order.
    void begin(int64_t row)
    {
        endOutput();
        mOutputs[mCount] = {row, {mInputs + mPlaces, mValues + mPlaces, 0, 0}};
        ++mCount;
        mBlock = 0;
    }

    //! Add the weights from `input` on of a list: that of its input 0, be it in the list or not.
    void addTap(ByteList const* list, int64_t input)
    {
        ByteList rest = *list;
        for (int64_t end = (mBlock + 1) * mBlockInputs; reaches(rest, end - input); end += mBlockInputs)
        {
            auto const inside = static_cast<uint32_t>(end - input);
            int64_t const count = std::lower_bound(rest.inputs, rest.inputs + rest.count, inside) - rest.inputs;
            append({rest.inputs, rest.values, count, rest.largest}, input);
            endBlock();
            rest = {rest.inputs + count, rest.values + count, rest.count - count, rest.largest};
        }
        append(rest, input);
    }

    template <typename Finish>
    void run(Finish const& finish)
    {
        endOutput();
        finishEmpty(finish);
        for (int64_t first = 0; mCount > 0 && first < mWeights.columns();)
        {
            Columns const tile = mWeights.listedTile(first);
            add(tile, finish);
            first += tile.count;
        }
    }

private:
    struct Output
    {
        int64_t row;
        ByteList list;
    };

    ByteList& latest() { return mOutputs[mCount - 1].list; }

    static bool reaches(ByteList const& list, int64_t input)
    {
        return list.count > 0 && list.inputs[list.count - 1] >= input;
    }

    void append(ByteList const& list, int64_t input)
    {
        mWeights.loops().append(list, static_cast<uint32_t>(input), latest());
    }

    //! Filled up with zeros.
    void endBlock()
    {
        ByteList& list = latest();
        for (; list.count % kPLACES_TOGETHER != 0; ++list.count)
        {
            list.inputs[list.count] = list.inputs[list.count - 1];
            list.values[list.count] = 0;
        }
        mEnds[(mCount - 1) * mBlocks + mBlock] = list.count;
        ++mBlock;
    }

    //! What follows is appended to the same arrays.
    void endOutput()
    {
        if (mCount == 0)
        {
            return;
        }
        if (latest().count == 0)
        {
            --mCount;
            mEmpty[mEmptyCount] = mOutputs[mCount].row;
            ++mEmptyCount;
            return;
        }
        while (mBlock < mBlocks)
        {
            endBlock();
        }
        mPlaces += latest().count;
    }

    //! Outputs to which nothing is added.
    template <typename Finish>
    void finishEmpty(Finish const& finish)
    {
        std::fill(mZeros, mZeros + (mEmptyCount > 0 ? mWeights.columns() : 0), 0);
        for (int64_t i = 0; i < mEmptyCount; ++i)
        {
            finish(mEmpty[i], Columns{0, mWeights.columns()}, mZeros);
        }
    }

    template <typename Finish>
    void add(Columns const& tile, Finish const& finish)
    {
        int64_t const together = blocksTogether();
        bool const ahead = mPlaces >= mWeights.inputs(); // most weights are read
        for (int64_t block = 0; block < mBlocks; block += together)
        {
            int64_t const end = std::min(block + together, mBlocks);
            Ahead const next = mWeights.afterListed(block * mBlockInputs, (end - block) * mBlockInputs, tile, mCount);
            for (int64_t i = 0; i < mCount; ++i)
            {
                if (ahead)
                {
                    next.fetch(i);
                }
                int32_t* const sums = mSums + (together == mBlocks ? 0 : i * tile.count);
                mWeights.addListed(mOutputs[i].list, placesOfBlocks(i, block, end), tile, sums);
                if (end == mBlocks)
                {
                    finish(mOutputs[i].row, mWeights.real(tile), sums);
                }
            }
        }
    }

    //! More where they have few places: loading and storing sums would cost more than the caches gain.
    int64_t blocksTogether() const { return mPlaces < kFEWEST_PLACES * mCount * mBlocks ? mBlocks : 1; }

    Range placesOfBlocks(int64_t output, int64_t block, int64_t end) const
    {
        int64_t const* const ends = mEnds + output * mBlocks;
        return {block == 0 ? 0 : ends[block - 1], ends[end - 1]};
    }

    static constexpr int64_t kBLOCK_INPUTS = 864;
    static constexpr int64_t kFEWEST_PLACES = 192;

    Weights<Bytes> const& mWeights;
    int64_t mBlocks;
    int64_t mBlockInputs;
    int64_t mRoom; //!< for the places of an output
    int32_t* mSums;
    uint32_t* mInputs;
    uint8_t* mValues;
    int64_t* mEnds; //!< of each output's blocks
    Output* mOutputs;
    int32_t* mZeros;
    int64_t* mEmpty; //!< rows
    int64_t mPlaces = 0; //!< of all outputs but the one begun last
    int64_t mCount = 0;
    int64_t mEmptyCount = 0;
    int64_t mBlock = 0; //!< of the output begun last, to which places are appended
};

} // namespace spikehalt

#endif
