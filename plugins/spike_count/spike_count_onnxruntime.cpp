//! SpikeCount in ONNX Runtime on a CPU: how many spikes a current gives, by its staircase.
#include "../onnxruntime/op.h"
#include "count_loops.h"

#include <vector>

namespace spikehalt
{
namespace
{

using namespace ort;

constexpr size_t kX = 0;
constexpr size_t kAT = 1;
constexpr size_t kCOUNT = 0;
//! The highest sum of weights; counts are exact in float32 as far as this.
constexpr int64_t kMOST = 1 << 24;
constexpr int64_t kMOST_IN_BYTE = 255;

class SpikeCountKernel
{
public:
    static constexpr char const* kNAME = "SpikeCount";
    static constexpr Port kINPUTS[] = {{"x", Type::kUNDEFINED}, {"at", Type::kUNDEFINED}};
    static constexpr Port kOUTPUTS[] = {{"count", Type::kUNDEFINED}};

    explicit SpikeCountKernel(Attributes const& attributes)
        : mUnit(attributes.readFloat("unit"))
        , mType(attributes.readType("count_type", {Type::kFLOAT, Type::kUINT8}))
    {
        int64_t const most = mType == Type::kUINT8 ? kMOST_IN_BYTE : kMOST;
        int64_t sum = 0;
        for (int64_t const weight : attributes.readInts("weights"))
        {
            attributes.require(weight >= 1 && weight <= most - sum,
                "attribute weights must hold positive numbers that sum up to " + std::to_string(most) + " at most.");
            sum += weight;
            mWeights.push_back(static_cast<int32_t>(weight));
        }
        attributes.require(mType == Type::kFLOAT || mUnit == 1.0F, "attribute unit must be 1 where counts are uint8.");
    }

    static void infer(Inference const& inference)
    {
        inference.setOutput(kCOUNT, static_cast<Type>(inference.attribute("count_type", 1)), inference.input(kX));
    }

    void compute(Context const& context) const
    {
        Input const x = context.input(kX);
        Input const at = context.input(kAT);
        x.type == Type::kINT32 ? computeAs<int32_t>(context, x, at) : computeAs<float>(context, x, at);
    }

private:
    template <typename T>
    void computeAs(Context const& context, Input const& x, Input const& at) const
    {
        auto const steps = static_cast<int64_t>(mWeights.size());
        T const* const currents = context.data<T>(kX, x);
        T const* const thresholds = context.data<T>(kAT, at);
        context.requireRank(kAT, at.shape, 2, "[S, 1] or [S, C]");
        bool const one = at.shape[1] == 1;
        context.require(x.shape.rank >= 1 || one, "x must have shape [..., C].");
        // With one threshold for all channels any length of a row will do.
        int64_t const channels = one ? kONE_ROW : x.shape[x.shape.rank - 1];
        context.requireShape(kAT, at.shape, Shape{steps, one ? 1 : channels});
        Staircase<T> const stairs{thresholds, mWeights.data(), steps, channels, one};
        void* const counts = context.output(kCOUNT, x.shape, mType);
        int64_t const count = x.shape.volume();
        int64_t const rows = channels == 0 ? 0 : (count + channels - 1) / channels;
        context.split(rows, channels * std::max<int64_t>(steps, 1), [&](int64_t, int64_t first, int64_t end) {
            int64_t const start = first * channels;
            int64_t const stop = std::min(end * channels, count);
            mType == Type::kUINT8
                ? countToBytes(stairs, currents + start, static_cast<uint8_t*>(counts) + start, stop - start)
                : countToFloats(stairs, mUnit, currents + start, static_cast<float*>(counts) + start, stop - start);
        });
    }

    static constexpr int64_t kONE_ROW = 1024;

    std::vector<int32_t> mWeights;
    float mUnit;
    Type mType;
};

} // namespace

ort::CustomOp const* ort::spikeCountOp()
{
    return Op<SpikeCountKernel>::get();
}

} // namespace spikehalt
