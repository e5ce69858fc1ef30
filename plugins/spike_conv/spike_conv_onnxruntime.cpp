//! SpikeConv and SpikeConvInteger in ONNX Runtime on a CPU: 3 x 3 convolutions of spikes or small integers,
//! channels last. A pixel's non-zero channels are listed once and added to its nine neighbours.
#include "../spike_linear/finish_loops.h"
#include "../spike_linear/layer.h"
#include "pixel_lists.h"

namespace spikehalt
{
namespace
{

using namespace ort;

constexpr size_t kBIAS = 2;
constexpr size_t kOUT = 0;
constexpr int64_t kSIDE = 3;
constexpr int64_t kTAPS = kSIDE * kSIDE;
constexpr int64_t kPRODUCTS_PER_ELEMENT = 16;
//! Rows of images that a thread takes: the rows around them are listed twice.
constexpr int64_t kROWS_TOGETHER = 8;
//! Pixels that share the weights in the caches, where a row of an image has fewer.
constexpr int64_t kPIXELS_AT_ONCE = 64;

template <typename Kind>
constexpr auto inputPorts()
{
    if constexpr (std::is_same<Kind, Bytes>::value)
    {
        return std::array<Port, 2>{{{"x", Type::kUINT8}, {"weight", Type::kINT8}}};
    }
    else
    {
        return std::array<Port, 3>{{{"x", Type::kFLOAT}, {"weight", Type::kFLOAT}, {"bias", Type::kFLOAT}}};
    }
}

//! Images of one size.
struct Images
{
    int64_t height;
    int64_t width;
    int64_t channels;

    //! Rows that are computed together.
    int64_t strip() const { return std::max<int64_t>(1, std::min(kPIXELS_AT_ONCE / width, kROWS_TOGETHER)); }
};

//! What is known of the pixels of a strip and of the rows around it. A row takes the place of one before it.
template <typename Kind>
class PixelRows
{
public:
    using X = typename Kind::X;

    PixelRows(Scratch& scratch, Weights<Kind> const& weights, Images const& images, X const* x)
        : mWeights(weights)
        , mImages(images)
        , mX(x)
        , mCapacity(images.strip() + kSIDE - 1)
        , mLists(scratch, weights, mCapacity, images.width, images.channels)
        , mCounts(scratch.take<Count>(mCapacity * images.width))
        , mRows(scratch.take<int64_t>(mCapacity))
    {
        std::fill(mRows, mRows + mCapacity, int64_t{-1});
    }

    //! Make a row, counted over all images, ready to be asked about.
    void enter(int64_t row)
    {
        if (mRows[row % mCapacity] == row)
        {
            return;
        }
        mRows[row % mCapacity] = row;
        mLists.forget(row % mCapacity);
        for (int64_t column = 0; column < mImages.width; ++column)
        {
            mCounts[place(row, column)] = Kind::count(mWeights.loops(), pixel(row, column), mImages.channels);
        }
    }

    Count const& count(int64_t row, int64_t column) const { return mCounts[place(row, column)]; }

    //! Add pixels of a row to the output that the batch has begun last, from its `input` on.
    void add(Batch<Kind>& batch, int64_t row, Range const& columns, int64_t input)
    {
        mLists.add(batch, row % mCapacity, pixel(row, 0), mCounts + place(row, 0), columns, input);
    }

    X const* pixel(int64_t row, int64_t column) const
    {
        return mX + (row * mImages.width + column) * mImages.channels;
    }

private:
    int64_t place(int64_t row, int64_t column) const { return row % mCapacity * mImages.width + column; }

    Weights<Kind> const& mWeights;
    Images mImages;
    X const* mX;
    int64_t mCapacity; //!< rows
    PixelLists<Kind> mLists;
    Count* mCounts;
    int64_t* mRows;
};

//! The part of a pixel's neighbourhood that is inside its image.
struct Window
{
    int64_t firstRow; //!< over all images
    int64_t endRow;
    int64_t firstColumn;
    int64_t endColumn;
};

//! Output pixels of rows of images, a strip at a time.
template <typename Kind>
class Convolution
{
public:
    using X = typename Kind::X;

    Convolution(Scratch& scratch, Weights<Kind> const& weights, Images const& images, X const* x)
        : mWeights(weights)
        , mImages(images)
        , mPixels(scratch, weights, images, x)
        , mBatch(scratch, weights, images.strip() * images.width, kTAPS)
        , mCounts(scratch.take<Count>(images.strip() * images.width))
    {
    }

    //! Rows are counted over all images. `finish(pixel, columns, sums)`: pixels too.
    template <typename Finish>
    void run(int64_t first, int64_t end, Finish const& finish)
    {
        for (int64_t start = first; start < end; start += mImages.strip())
        {
            int64_t const stop = std::min(start + mImages.strip(), end);
            for (int64_t row = start; row < stop; ++row)
            {
                count(row, mCounts + (row - start) * mImages.width);
            }
            mMostPlaces = mWeights.mostPlaces(mCounts, (stop - start) * mImages.width);
            mBatch.clear();
            for (int64_t row = start; row < stop; ++row)
            {
                sort(row, row - start);
            }
            mBatch.run(finish);
        }
    }

private:
    //! Count what the outputs of a row see.
    void count(int64_t row, Count* counts)
    {
        for (int64_t column = 0; column < mImages.width; ++column)
        {
            Window const window = around(row, column);
            for (int64_t each = window.firstRow; column == 0 && each < window.endRow; ++each)
            {
                mPixels.enter(each);
            }
            counts[column] = countOf(window);
        }
    }

    //! Put the outputs of a row, the `place`th of its strip, into the batch.
    void sort(int64_t row, int64_t place)
    {
        for (int64_t column = 0; column < mImages.width; ++column)
        {
            Window const window = around(row, column);
            int64_t const at = place * mImages.width + column;
            int64_t const pixel = row * mImages.width + column;
            if (mWeights.lists(mCounts[at], mMostPlaces))
            {
                mBatch.list(pixel);
                addTaps(row, column, window);
                continue;
            }
            fillPatch(row, column, window, mBatch.multiply(pixel, mCounts[at].largest));
        }
    }

    Window around(int64_t row, int64_t column) const
    {
        int64_t const image = row / mImages.height * mImages.height;
        return {std::max(row - 1, image), std::min(row + 2, image + mImages.height), std::max<int64_t>(column - 1, 0),
            std::min(column + 2, mImages.width)};
    }

    Count countOf(Window const& window) const
    {
        Count total{0, 0};
        for (int64_t row = window.firstRow; row < window.endRow; ++row)
        {
            for (int64_t column = window.firstColumn; column < window.endColumn; ++column)
            {
                Count const& count = mPixels.count(row, column);
                total.nonZero += count.nonZero;
                total.largest = std::max(total.largest, count.largest);
            }
        }
        return total;
    }

    void addTaps(int64_t row, int64_t column, Window const& window)
    {
        for (int64_t y = window.firstRow; y < window.endRow; ++y)
        {
            int64_t const input = tap(row, column, y, window.firstColumn) * mImages.channels;
            mPixels.add(mBatch, y, {window.firstColumn, window.endColumn}, input);
        }
    }

    //! The neighbourhood of a pixel side by side, zero outside the image.
    void fillPatch(int64_t row, int64_t column, Window const& window, X* out) const
    {
        int64_t const inside = (window.endRow - window.firstRow) * (window.endColumn - window.firstColumn);
        if (inside * mImages.channels != mWeights.denseInputs())
        {
            std::fill(out, out + mWeights.denseInputs(), X{0});
        }
        for (int64_t y = window.firstRow; y < window.endRow; ++y)
        {
            X const* const from = mPixels.pixel(y, window.firstColumn);
            int64_t const place = tap(row, column, y, window.firstColumn) * mImages.channels;
            std::copy(from, from + (window.endColumn - window.firstColumn) * mImages.channels, out + place);
        }
    }

    //! Which of the nine a neighbour is.
    static int64_t tap(int64_t row, int64_t column, int64_t y, int64_t x)
    {
        return (y - row + 1) * kSIDE + x - column + 1;
    }

    Weights<Kind> const& mWeights;
    Images mImages;
    PixelRows<Kind> mPixels;
    Batch<Kind> mBatch;
    Count* mCounts; //!< of the outputs of a strip
    double mMostPlaces = 0.0;
};

template <typename Kind>
class ConvKernel
{
public:
    static constexpr bool kINTEGER = std::is_same<Kind, Bytes>::value;
    using Out = std::conditional_t<kINTEGER, int32_t, float>;
    static constexpr char const* kNAME = kINTEGER ? "SpikeConvInteger" : "SpikeConv";
    static constexpr auto kINPUTS = inputPorts<Kind>();
    static constexpr Port kOUTPUTS[] = {{kINTEGER ? "sums" : "current", typeOf<Out>()}};

    explicit ConvKernel(Attributes const& attributes)
        : mLayer(attributes, kTAPS)
    {
    }

    static void infer(Inference const& inference)
    {
        Dims dims = inference.input(kX);
        Dims const weight = inference.input(kWEIGHT);
        if (dims.size() == 4 && weight.size() == 2)
        {
            dims[3] = weight[1];
            inference.setOutput(kOUT, typeOf<Out>(), dims);
        }
    }

    void compute(Context const& context) const
    {
        Input const x = context.input(kX);
        auto const* const pixels = context.data<typename Kind::X>(kX, x);
        context.requireRank(kX, x.shape, 4, "[B, H, W, C]");
        mLayer.withWeights(context, kTAPS * x.shape[3], [&](Weights<Kind> const& weights) {
            int64_t const columns = weights.columns();
            float const* const bias = kINTEGER ? nullptr : context.data<float>(kBIAS, Shape{columns});
            Shape wide = x.shape;
            wide.dims[3] = columns;
            Out* const out = context.output<Out>(kOUT, wide);
            if (wide.volume() == 0)
            {
                return;
            }
            Images const images{x.shape[1], x.shape[2], x.shape[3]};
            int64_t const rows = x.shape[0] * images.height;
            int64_t const work = kROWS_TOGETHER * images.width * weights.inputs() * columns / kPRODUCTS_PER_ELEMENT;
            context.split((rows + kROWS_TOGETHER - 1) / kROWS_TOGETHER, work, [&](int64_t, int64_t first, int64_t end) {
                Convolution<Kind> convolution(Scratch::empty(), weights, images, pixels);
                int64_t const last = std::min(end * kROWS_TOGETHER, rows);
                convolution.run(
                    first * kROWS_TOGETHER, last, [&](int64_t pixel, Columns const& tile, auto const* sums) {
                    finish(sums, bias, tile, out + pixel * columns);
                });
            });
        });
    }

private:
    static void finish(int32_t const* sums, float const*, Columns const& tile, int32_t* pixel)
    {
        std::copy(sums, sums + tile.count, pixel + tile.first);
    }

    static void finish(float const* sums, float const* bias, Columns const& tile, float* pixel)
    {
        shift(sums, bias + tile.first, pixel + tile.first, tile.count);
    }

    Layer<Kind> mLayer;
};

} // namespace

ort::CustomOp const* ort::spikeConvOp()
{
    return Op<ConvKernel<Floats>>::get();
}

ort::CustomOp const* ort::spikeConvIntegerOp()
{
    return Op<ConvKernel<Bytes>>::get();
}

} // namespace spikehalt
