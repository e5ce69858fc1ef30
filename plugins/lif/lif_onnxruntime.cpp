//! LIF in ONNX Runtime on a CPU; see op.yaml.
#include "../onnxruntime/op.h"
#include "lif_loops.h"

namespace spikehalt
{
namespace
{

using namespace ort;

constexpr size_t kX = 0;
constexpr size_t kV = 1;
constexpr size_t kSPIKE = 0;
constexpr size_t kV_NEXT = 1;
//! Neurons that go through all steps together: their potentials stay in the cache.
constexpr int64_t kBLOCK = 2048;

class LifKernel
{
public:
    static constexpr char const* kNAME = "LIF";
    static constexpr Port kINPUTS[] = {{"x", Type::kFLOAT}, {"v", Type::kFLOAT}};
    static constexpr Port kOUTPUTS[] = {{"spike", Type::kUNDEFINED}, {"v_next", Type::kFLOAT}};

    explicit LifKernel(Attributes const& attributes)
        : mParams(readLifParams(attributes))
        , mSpikeType(readSpikeType(attributes))
    {
        mParams.steps = static_cast<int32_t>(attributes.readInt("steps", 1, INT32_MAX));
    }

    static void infer(Inference const& inference)
    {
        Dims const x = inference.input(kX);
        bool const several = inference.attribute("steps", 1) > 1 && !x.empty();
        inference.setOutput(kSPIKE, static_cast<Type>(inference.attribute("spike_type", 1)), x);
        inference.setOutput(kV_NEXT, Type::kFLOAT, several ? Dims(x.begin() + 1, x.end()) : x);
    }

    void compute(Context const& context) const
    {
        Input const x = context.input(kX);
        Input const v = context.input(kV);
        Shape const step = oneStep(context, x.shape);
        SpikehaltLifParams params = mParams;
        params.elements = step.volume();
        params.oneState = v.shape == step ? 0 : 1;
        if (params.oneState)
        {
            context.requireShape(kV, v.shape, v.shape == Shape{1} ? Shape{1} : step);
        }
        float const* const currents = context.data<float>(kX, x);
        float const* const potentials = context.data<float>(kV, v);
        auto* const spikes = static_cast<char*>(context.output(kSPIKE, x.shape, mSpikeType));
        float* const next = context.output<float>(kV_NEXT, step);
        context.split(params.elements, params.steps, [&](int64_t, int64_t first, int64_t end) {
            for (int64_t start = first; start < end; start += kBLOCK)
            {
                int64_t const count = std::min(kBLOCK, end - start);
                allSteps(params, currents + start, potentials + (params.oneState ? 0 : start),
                    spikes + start * spikeBytes(mSpikeType), next + start, count);
            }
        });
    }

private:
    //! The shape of one timestep of x.
    Shape oneStep(Context const& context, Shape const& x) const
    {
        if (mParams.steps == 1)
        {
            return x;
        }
        context.require(x.rank >= 1 && x[0] == mParams.steps,
            "the leading axis of x must have as many timesteps as attribute steps says.");
        return x.part(1, x.rank);
    }

    void allSteps(SpikehaltLifParams const& params, float const* x, float const* v, char* spike, float* next,
        int64_t count) const
    {
        lifStepRow(mSpikeType, params, x, v, spike, next, count);
        for (int64_t step = 1; step < params.steps; ++step)
        {
            int64_t const offset = step * params.elements;
            lifAdvanceRow(mSpikeType, params, x + offset, spike + offset * spikeBytes(mSpikeType), next, count);
        }
    }

    SpikehaltLifParams mParams;
    Type mSpikeType;
};

} // namespace

ort::CustomOp const* ort::lifOp()
{
    return Op<LifKernel>::get();
}

} // namespace spikehalt
