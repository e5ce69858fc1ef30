//! Lists of the pixels of a few rows of images, made when they are first asked for.
#ifndef SPIKEHALT_PIXEL_LISTS_H
#define SPIKEHALT_PIXEL_LISTS_H

#include "../spike_linear/products.h"

namespace spikehalt
{

template <typename Kind>
class PixelLists;

//! Pixels side by side in a row are side by side in a window too, so that a row has one list.
template <>
class PixelLists<Bytes>
{
public:
    PixelLists(Scratch& scratch, Weights<Bytes> const& weights, int64_t rows, int64_t width, int64_t channels)
        : mWeights(weights)
        , mWidth(width)
        , mChannels(channels)
        , mLists(scratch, rows, width * channels)
        , mStarts(scratch.take<int64_t>(rows * (width + 1)))
        , mListed(scratch.take<bool>(rows))
    {
    }

    //! Another row of the images takes the `row`th place.
    void forget(int64_t row) { mListed[row] = false; }

    //! Add the pixels of `columns` to the output that the batch has begun last, from its `input` on; `x`: of the row.
    void add(Batch<Bytes>& batch, int64_t row, uint8_t const* x, Count const*, Range const& columns, int64_t input)
    {
        ByteList const& whole = list(row, x);
        int64_t const* const starts = mStarts + row * (mWidth + 1);
        int64_t const start = starts[columns.first];
        ByteList const part{
            whole.inputs + start, whole.values + start, starts[columns.end] - start, whole.largest};
        batch.addTap(&part, input - columns.first * mChannels);
    }

private:
    ByteList const& list(int64_t row, uint8_t const* x)
    {
        ByteList& list = mLists[row];
        if (mListed[row])
        {
            return list;
        }
        mListed[row] = true;
        list.count = 0;
        list.largest = 0;
        int64_t* const starts = mStarts + row * (mWidth + 1);
        for (int64_t column = 0; column < mWidth; ++column)
        {
            starts[column] = list.count;
            mWeights.loops().list(x + column * mChannels, mChannels, column * mChannels, list);
        }
        starts[mWidth] = list.count;
        return list;
    }

    Weights<Bytes> const& mWeights;
    int64_t mWidth;
    int64_t mChannels;
    Lists<Bytes> mLists;
    int64_t* mStarts; //!< of each row's pixels in its list, and the end
    bool* mListed;
};

//! A list for each pixel.
template <>
class PixelLists<Floats>
{
public:
    PixelLists(Scratch& scratch, Weights<Floats> const& weights, int64_t rows, int64_t width, int64_t channels)
        : mWeights(weights)
        , mWidth(width)
        , mChannels(channels)
        , mLists(scratch, rows * width, channels)
        , mListed(scratch.take<bool>(rows * width))
    {
    }

    void forget(int64_t row) { std::fill(mListed + row * mWidth, mListed + (row + 1) * mWidth, false); }

    //! `counts`: of the row's pixels.
    void add(
        Batch<Floats>& batch, int64_t row, float const* x, Count const* counts, Range const& columns, int64_t input)
    {
        for (int64_t column = columns.first; column < columns.end; ++column, input += mChannels)
        {
            if (counts[column].nonZero > 0)
            {
                batch.addTap(list(row * mWidth + column, x + column * mChannels), input);
            }
        }
    }

private:
    FloatList const* list(int64_t at, float const* pixel)
    {
        if (!mListed[at])
        {
            mWeights.list(pixel, mChannels, mLists[at]);
            mListed[at] = true;
        }
        return &mLists[at];
    }

    Weights<Floats> const& mWeights;
    int64_t mWidth;
    int64_t mChannels;
    Lists<Floats> mLists;
    bool* mListed;
};

} // namespace spikehalt

#endif
