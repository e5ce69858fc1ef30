//! The weights of one layer as the loops want them, and the choice between listed and dense sums.
#ifndef SPIKEHALT_WEIGHTS_H
#define SPIKEHALT_WEIGHTS_H

#include "kinds.h"
#include "large_pages.h"
#include "memory.h"

#include <algorithm>
#include <mutex>

namespace spikehalt
{

//! Columns that a call of the loops takes.
struct Columns
{
    int64_t first;
    int64_t count; //!< padded
};

//! Weights [inputs, columns], padded to what vectors take.
template <typename Kind>
class Weights
{
public:
    using X = typename Kind::X;
    using W = typename Kind::W;
    using Sum = typename Kind::Sum;
    using List = typename Kind::List;

    //! `taps`: how many rows of the same list are added to others, as in a convolution.
    Weights(W const* weights, int64_t inputs, int64_t columns, int64_t taps);

    int64_t inputs() const { return mInputs; }
    int64_t columns() const { return mColumns; }
    //! Columns, padded to what vectors take.
    int64_t paddedColumns() const { return mPaddedColumns; }
    //! The weights of an input.
    W const* row(int64_t input) const { return mRows + input * mColumns; }
    typename Kind::Loops const& loops() const { return *mLoops; }
    //! Inputs of a dense row: a multiple of what products take at a time, zeros behind.
    int64_t denseInputs() const { return mDenseInputs; }

    //! The most places of a listed row, among so many rows. Where few rows are sparse they are multiplied with the
    //! others unless next to nothing is in them: lists and products each read weights of their own, which
    //! would push the next layers' out of the caches.
    double mostPlaces(Count const* counts, int64_t rows) const
    {
        double const most = mBreakEven * static_cast<double>(mInputs);
        int64_t const sparse
            = std::count_if(
                counts, counts + rows, [&](Count const& each) { return static_cast<double>(each.nonZero) <= most; });
        return kFEW * sparse < rows ? most / kALMOST_EMPTY : most;
    }

    //! Whether to list a row rather than to multiply it.
    bool lists(Count const& count, double mostPlaces) const
    {
        return static_cast<double>(count.nonZero) <= mostPlaces || !mMultiplies || tooLarge(count);
    }

    //! List `inputs` activations.
    void list(X const* x, int64_t inputs, List& list) const;

    //! Columns that addListed and multiply take at a time, from `first` on.
    Columns listedTile(int64_t first) const;
    Columns denseTile(int64_t first) const;

    //! Without the columns that are padding.
    Columns real(Columns const& tile) const { return {tile.first, std::min(tile.count, mColumns - tile.first)}; }

    //! Of bytes: the sums over `places` of a list; those from 0 on begin sums, others go on with them.
    void addListed(List const& list, Range const& places, Columns const& tile, Sum* sums) const;
    //! Of floats: sums[column] += the sum over `places` of a list.
    void addListed(FloatTap const& tap, Range const& places, Columns const& tile, Sum* sums) const;
    //! The weights that follow those of so many inputs in a tile, in parts.
    Ahead afterListed(int64_t input, int64_t inputs, Columns const& tile, int64_t parts) const;

    //! Inputs that multiply takes at a time, from `first` on: as many as a tile of weights stays in the caches.
    Range denseRange(int64_t first) const;
    //! Rows that multiply takes at a time.
    int64_t denseRows() const;
    //! Up to denseRows() rows of denseInputs() activations, one behind the other, none of them above `largest`.
    void multiply(X const* rows, int64_t count, int32_t largest, Range const& inputs, Columns const& tile,
        Sum* sums, int64_t stride) const;

private:
    static constexpr int64_t kFEW = 2; //!< one row of so many
    static constexpr double kALMOST_EMPTY = 8.0;

    W const* packed() const;
    bool tooLarge(Count const& count) const;

    typename Kind::Loops const* mLoops;
    int64_t mInputs;
    int64_t mColumns;
    int64_t mPaddedColumns;
    int64_t mDenseInputs;
    bool mMultiplies;
    int64_t mListedTile;
    double mBreakEven;
    W const* mRows;
    //! For every listed tile and input the weight of each column.
    WeightMemory<W> mListed;
    //! The weights once more, in the order of dense products; made when the first row is dense.
    mutable WeightMemory<W> mPacked;
    mutable std::once_flag mPackedOnce;
};

template <>
void Weights<Bytes>::list(uint8_t const* x, int64_t inputs, ByteList& list) const;
template <>
void Weights<Floats>::list(float const* x, int64_t inputs, FloatList& list) const;
template <>
void Weights<Bytes>::addListed(ByteList const& list, Range const& places, Columns const& tile, int32_t* sums) const;
template <>
void Weights<Floats>::addListed(FloatTap const& tap, Range const& places, Columns const& tile, float* sums) const;

extern template class Weights<Bytes>;
extern template class Weights<Floats>;

} // namespace spikehalt

#endif
