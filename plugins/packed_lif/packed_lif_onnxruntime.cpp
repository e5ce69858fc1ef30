//! PackedLIF in ONNX Runtime on a CPU: LIF of one timestep whose potentials lie in chosen rows of v.
#include "../lif/lif_loops.h"
#include "../onnxruntime/op.h"

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

class PackedLifKernel
{
public:
    static constexpr char const* kNAME = "PackedLIF";
    static constexpr Port kINPUTS[] = {{"x", Type::kFLOAT}, {"v", Type::kFLOAT}, {"row", Type::kINT64}};
    static constexpr Port kOUTPUTS[] = {{"spike", Type::kUNDEFINED}, {"v_next", Type::kFLOAT}};

    explicit PackedLifKernel(Attributes const& attributes)
        : mParams(readLifParams(attributes))
        , mSpikeType(readSpikeType(attributes))
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
        context.require(x.shape.rank >= 1 && v.shape.rank == x.shape.rank
                && x.shape.part(1, x.shape.rank) == v.shape.part(1, v.shape.rank),
            "x must have shape [M, *] and v [N, *] with the same axes after the first.");
        int64_t const width = x.shape.volume(1, x.shape.rank);
        float const* const currents = context.data<float>(kX, x);
        float const* const potentials = context.data<float>(kV, v);
        auto const* const rows = context.data<int64_t>(kROW, Shape{x.shape[0]});
        checkRows(context, rows, x.shape[0], v.shape[0]);
        auto* const spikes = static_cast<char*>(context.output(kSPIKE, x.shape, mSpikeType));
        float* const next = context.output<float>(kV_NEXT, x.shape);
        context.split(x.shape[0], width, [&](int64_t, int64_t first, int64_t end) {
            for (int64_t m = first; m < end; ++m)
            {
                lifStepRow(mSpikeType, mParams, currents + m * width, potentials + rows[m] * width,
                    spikes + m * width * spikeBytes(mSpikeType), next + m * width, width);
            }
        });
    }

private:
    static void checkRows(Context const& context, int64_t const* rows, int64_t count, int64_t highest)
    {
        for (int64_t m = 0; m < count; ++m)
        {
            if (rows[m] < 0 || rows[m] >= highest)
            {
                context.refuse(kROW, "must name rows of v, 0 to " + std::to_string(highest - 1) + ", not "
                        + std::to_string(rows[m]) + ".");
            }
        }
    }

    SpikehaltLifParams mParams;
    Type mSpikeType;
};

} // namespace

ort::CustomOp const* ort::packedLifOp()
{
    return Op<PackedLifKernel>::get();
}

} // namespace spikehalt
