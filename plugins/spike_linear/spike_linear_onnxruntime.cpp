//! SpikeLinear and SpikeLinearInteger in ONNX Runtime on a CPU: rows of spikes or small integers times
//! weights. What is zero costs nothing in rows that have enough of it.
#include "finish_loops.h"
#include "layer.h"

namespace spikehalt
{
namespace
{

using namespace ort;

constexpr size_t kSCALE = 2;
constexpr size_t kCURRENT = 0;
//! A listed row takes about a sixteenth of its products.
constexpr int64_t kPRODUCTS_PER_ELEMENT = 16;

template <typename Kind>
constexpr auto inputPorts()
{
    if constexpr (std::is_same<Kind, Bytes>::value)
    {
        return std::array<Port, 4>{
            {{"x", Type::kUINT8}, {"weight", Type::kINT8}, {"scale", Type::kFLOAT}, {"bias", Type::kFLOAT}}};
    }
    else
    {
        return std::array<Port, 3>{{{"x", Type::kFLOAT}, {"weight", Type::kFLOAT}, {"bias", Type::kFLOAT}}};
    }
}

template <typename Kind>
class LinearKernel
{
public:
    static constexpr bool kINTEGER = std::is_same<Kind, Bytes>::value;
    static constexpr char const* kNAME = kINTEGER ? "SpikeLinearInteger" : "SpikeLinear";
    static constexpr auto kINPUTS = inputPorts<Kind>();
    static constexpr Port kOUTPUTS[] = {{"current", Type::kFLOAT}};

    explicit LinearKernel(Attributes const& attributes)
        : mLayer(attributes, 1)
    {
    }

    static void infer(Inference const& inference)
    {
        Dims const x = inference.input(kX);
        Dims const weight = inference.input(kWEIGHT);
        if (x.size() == 2 && weight.size() == 2)
        {
            inference.setOutput(kCURRENT, Type::kFLOAT, {x[0], weight[1]});
        }
    }

    void compute(Context const& context) const
    {
        Input const x = context.input(kX);
        auto const* const rows = context.data<typename Kind::X>(kX, x);
        context.requireRank(kX, x.shape, 2, "[M, inputs]");
        mLayer.withWeights(context, x.shape[1], [&](Weights<Kind> const& weights) {
            Shape const columns{weights.columns()};
            float const* const scale = kINTEGER ? context.data<float>(kSCALE, columns) : nullptr;
            float const* const bias = context.data<float>(std::size(kINPUTS) - 1, columns);
            float* const current = context.output<float>(kCURRENT, Shape{x.shape[0], weights.columns()});
            if (x.shape[0] == 0 || weights.columns() == 0)
            {
                return;
            }
            int64_t const groups = (x.shape[0] + kFEWEST_ROWS - 1) / kFEWEST_ROWS;
            int64_t const work = kFEWEST_ROWS * weights.inputs() * weights.columns() / kPRODUCTS_PER_ELEMENT;
            context.split(groups, work, [&](int64_t, int64_t first, int64_t end) {
                int64_t const start = groupStart(first, groups, x.shape[0], weights.denseRows());
                int64_t const stop = groupStart(end, groups, x.shape[0], weights.denseRows());
                multiplyRows(weights, rows, start, stop, [&](int64_t row, Columns const& tile, auto const* sums) {
                    finish(sums, scale, bias, tile, current + row * weights.columns());
                });
            });
        });
    }

private:
    using X = typename Kind::X;

    static void finish(int32_t const* sums, float const* scale, float const* bias, Columns const& tile, float* row)
    {
        scaleAndShift(sums, scale + tile.first, bias + tile.first, row + tile.first, tile.count);
    }

    static void finish(float const* sums, float const*, float const* bias, Columns const& tile, float* row)
    {
        shift(sums, bias + tile.first, row + tile.first, tile.count);
    }

    //! The first row of a group, of groups nearly as long as each other.
    static int64_t groupStart(int64_t group, int64_t groups, int64_t rows, int64_t unit)
    {
        return std::min((rows * group / groups + unit - 1) / unit * unit, rows);
    }

    template <typename Finish>
    static void multiplyRows(
        Weights<Kind> const& weights, X const* x, int64_t first, int64_t end, Finish const& finish)
    {
        int64_t const together = std::min(kROWS_AT_ONCE, end - first);
        Scratch& scratch = Scratch::empty();
        Batch<Kind> batch(scratch, weights, together, 1);
        Lists<Kind> lists(scratch, together, weights.inputs());
        Count* const counts = scratch.take<Count>(together);
        for (int64_t start = first; start < end; start += together)
        {
            batch.clear();
            int64_t const stop = std::min(start + together, end);
            for (int64_t row = start; row < stop; ++row)
            {
                counts[row - start] = Kind::count(weights.loops(), x + row * weights.inputs(), weights.inputs());
            }
            sort(weights, x, start, {counts, counts + (stop - start)}, lists, batch);
            batch.run(finish);
        }
    }

    struct Counts
    {
        Count const* first;
        Count const* end;
    };

    //! Put rows from `start` on, of which there are as many as counts, into the batch.
    static void sort(Weights<Kind> const& weights, X const* x, int64_t start, Counts const& counts, Lists<Kind>& lists,
        Batch<Kind>& batch)
    {
        double const mostPlaces = weights.mostPlaces(counts.first, counts.end - counts.first);
        bool const anyListed = std::any_of(
            counts.first, counts.end, [&](Count const& each) { return weights.lists(each, mostPlaces); });
        if (!anyListed && weights.denseInputs() == weights.inputs())
        {
            batch.multiplyAll(x + start * weights.inputs(), start, counts.end - counts.first, largestOf(counts));
            return;
        }
        int64_t row = start;
        for (Count const* count = counts.first; count != counts.end; ++count, ++row)
        {
            X const* const values = x + row * weights.inputs();
            if (!weights.lists(*count, mostPlaces))
            {
                X* const end = std::copy(values, values + weights.inputs(), batch.multiply(row, count->largest));
                std::fill(end, end + (weights.denseInputs() - weights.inputs()), X{0});
                continue;
            }
            batch.list(row);
            if (count->nonZero > 0)
            {
                weights.list(values, weights.inputs(), lists[row - start]);
                batch.addTap(&lists[row - start], 0);
            }
        }
    }

    static int32_t largestOf(Counts const& counts)
    {
        auto const less = [](Count const& a, Count const& b) { return a.largest < b.largest; };
        return std::max_element(counts.first, counts.end, less)->largest;
    }

    Layer<Kind> mLayer;
};

} // namespace

ort::CustomOp const* ort::spikeLinearOp()
{
    return Op<LinearKernel<Floats>>::get();
}

ort::CustomOp const* ort::spikeLinearIntegerOp()
{
    return Op<LinearKernel<Bytes>>::get();
}

} // namespace spikehalt
