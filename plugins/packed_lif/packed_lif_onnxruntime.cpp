//! PackedLIF and PackedLIFSteps in ONNX Runtime on a CPU: LIF whose potentials lie in chosen rows of v, or of
//! the timestep before.
#include "../lif/lif_loops.h"
#include "../onnxruntime/op.h"
#include "../spike_linear/memory.h"

#include <numeric>

namespace spikehalt
{
namespace
{

using namespace ort;

constexpr size_t kX = 0;
constexpr size_t kV = 1;
constexpr size_t kROW = 2;
constexpr size_t kSPIKE = 0;
constexpr size_t kV_NEXT = 1;

constexpr size_t kCOUNT = 3;

//! Rows of one timestep.
struct Step
{
    float const* x;
    int64_t const* row;
    char* spike;
    int64_t count;
};

//! What `row` names rows of.
struct Before
{
    float const* v;
    int64_t rows;
    char const* name;
};

//! What both ops do at a timestep.
class PackedNeuron
{
public:
    explicit PackedNeuron(Attributes const& attributes)
        : mParams(readLifParams(attributes))
        , mSpikeType(readSpikeType(attributes))
    {
    }

    Type spikeType() const { return mSpikeType; }

    //! From potentials before to those of the step's rows.
    void step(Context const& context, Step const& step, Before const& before, float* next, int64_t width) const
    {
        checkRows(context, step, before);
        context.split(step.count, width, [&](int64_t, int64_t first, int64_t end) {
            for (int64_t m = first; m < end; ++m)
            {
                lifStepRow(mSpikeType, mParams, step.x + m * width, before.v + step.row[m] * width,
                    step.spike + m * width * spikeBytes(mSpikeType), next + m * width, width);
            }
        });
    }

private:
    static void checkRows(Context const& context, Step const& step, Before const& before)
    {
        for (int64_t m = 0; m < step.count; ++m)
        {
            if (step.row[m] < 0 || step.row[m] >= before.rows)
            {
                context.refuse(kROW, std::string("must name rows of ") + before.name + ", 0 to "
                        + std::to_string(before.rows - 1) + ", not " + std::to_string(step.row[m]) + ".");
            }
        }
    }

    SpikehaltLifParams mParams;
    Type mSpikeType;
};

//! The elements of a row of x, which v must have too.
int64_t widthOf(Context const& context, Shape const& x, Shape const& v)
{
    context.require(x.rank >= 1 && v.rank == x.rank && x.part(1, x.rank) == v.part(1, v.rank),
        "x must have shape [M, *] and v [N, *] with the same axes after the first.");
    return x.volume(1, x.rank);
}

class PackedLifKernel
{
public:
    static constexpr char const* kNAME = "PackedLIF";
    static constexpr Port kINPUTS[] = {{"x", Type::kFLOAT}, {"v", Type::kFLOAT}, {"row", Type::kINT64}};
    static constexpr Port kOUTPUTS[] = {{"spike", Type::kUNDEFINED}, {"v_next", Type::kFLOAT}};

    explicit PackedLifKernel(Attributes const& attributes)
        : mNeuron(attributes)
    {
    }

    static void infer(Inference const& inference)
    {
        Dims const x = inference.input(kX);
        inference.setOutput(kSPIKE, static_cast<Type>(inference.attribute("spike_type", 1)), x);
        inference.setOutput(kV_NEXT, Type::kFLOAT, x);
    }

    void compute(Context const& context) const
    {
        Input const x = context.input(kX);
        Input const v = context.input(kV);
        int64_t const width = widthOf(context, x.shape, v.shape);
        float const* const currents = context.data<float>(kX, x);
        float const* const potentials = context.data<float>(kV, v);
        auto const* const rows = context.data<int64_t>(kROW, Shape{x.shape[0]});
        auto* const spikes = static_cast<char*>(context.output(kSPIKE, x.shape, mNeuron.spikeType()));
        float* const next = context.output<float>(kV_NEXT, x.shape);
        mNeuron.step(context, {currents, rows, spikes, x.shape[0]}, {potentials, v.shape[0], "v"}, next, width);
    }

private:
    PackedNeuron mNeuron;
};

class PackedLifStepsKernel
{
public:
    static constexpr char const* kNAME = "PackedLIFSteps";
    static constexpr Port kINPUTS[]
        = {{"x", Type::kFLOAT}, {"v", Type::kFLOAT}, {"row", Type::kINT64}, {"count", Type::kINT64}};
    static constexpr Port kOUTPUTS[] = {{"spike", Type::kUNDEFINED}, {"v_next", Type::kFLOAT}};

    explicit PackedLifStepsKernel(Attributes const& attributes)
        : mNeuron(attributes)
    {
    }

    static void infer(Inference const& inference)
    {
        Dims dims = inference.input(kX);
        inference.setOutput(kSPIKE, static_cast<Type>(inference.attribute("spike_type", 1)), dims);
        if (!dims.empty())
        {
            dims[0] = Dim{};
            inference.setOutput(kV_NEXT, Type::kFLOAT, dims);
        }
    }

    void compute(Context const& context) const
    {
        Input const x = context.input(kX);
        Input const v = context.input(kV);
        Input const count = context.input(kCOUNT);
        int64_t const width = widthOf(context, x.shape, v.shape);
        auto const* const rows = context.data<int64_t>(kROW, Shape{x.shape[0]});
        auto const* const counts = context.data<int64_t>(kCOUNT, count);
        checkCounts(context, counts, count.shape, x.shape[0]);
        int64_t const steps = count.shape[0];
        Shape last = x.shape;
        last.dims[0] = counts[steps - 1];
        auto* const spikes = static_cast<char*>(context.output(kSPIKE, x.shape, mNeuron.spikeType()));
        float* const next = context.output<float>(kV_NEXT, last);
        Step step{context.data<float>(kX, x), rows, spikes, 0};
        Before before{context.data<float>(kV, v), v.shape[0], "v"};
        Scratch& scratch = Scratch::empty();
        int64_t const most = *std::max_element(counts, counts + steps);
        float* const between[] = {scratch.take<float>(most * width), scratch.take<float>(most * width)};
        for (int64_t t = 0; t < steps; ++t)
        {
            step.count = counts[t];
            float* const after = t + 1 == steps ? next : between[t % 2];
            mNeuron.step(context, step, before, after, width);
            step = {step.x + step.count * width, step.row + step.count,
                step.spike + step.count * width * spikeBytes(mNeuron.spikeType()), 0};
            before = {after, counts[t], "the timestep before"};
        }
    }

private:
    static void checkCounts(Context const& context, int64_t const* counts, Shape const& shape, int64_t rows)
    {
        context.requireRank(kCOUNT, shape, 1, "[T]");
        bool const some = shape[0] >= 1;
        bool const counted = some && *std::min_element(counts, counts + shape[0]) >= 0
            && std::accumulate(counts, counts + shape[0], int64_t{0}) == rows;
        context.require(counted, "count must have one timestep or more, of as many rows as x has.");
    }

    PackedNeuron mNeuron;
};

} // namespace

ort::CustomOp const* ort::packedLifOp()
{
    return Op<PackedLifKernel>::get();
}

ort::CustomOp const* ort::packedLifStepsOp()
{
    return Op<PackedLifStepsKernel>::get();
}

} // namespace spikehalt
