//! PackedTokenHalt in ONNX Runtime on a CPU: TokenHaltSum for packed rows, all of them alive.
#include "../onnxruntime/op.h"
#include "../onnxruntime/token_index.h"
#include "../onnxruntime/vectors.h"
#include "../token_halt/halt_attributes.h"
#include "../token_halt/token_halt_math.h"

namespace spikehalt
{
namespace
{

using namespace ort;

constexpr size_t kX = 0;
constexpr size_t kINDEX = 1;
constexpr size_t kSIZE = 2;
constexpr size_t kHIST = 3;
constexpr size_t kCUM = 4;
constexpr size_t kEPSILON = 5;
constexpr size_t kREADOUT = 0;
constexpr size_t kHIST_NEXT = 1;
constexpr size_t kCUM_NEXT = 2;
constexpr size_t kLIVE = 3;

class PackedTokenHaltKernel
{
public:
    static constexpr char const* kNAME = "PackedTokenHalt";
    static constexpr Port kINPUTS[] = {{"x", Type::kFLOAT}, {"index", Type::kINT64}, {"size", Type::kFLOAT},
        {"hist", Type::kFLOAT}, {"cum", Type::kFLOAT}, {"epsilon", Type::kFLOAT}};
    static constexpr Port kOUTPUTS[] = {{"readout", Type::kFLOAT}, {"hist_next", Type::kFLOAT},
        {"cum_next", Type::kFLOAT}, {"live", Type::kINT32}};

    explicit PackedTokenHaltKernel(Attributes const& attributes)
        : mParams(readHaltParams(attributes))
    {
    }

    static void infer(Inference const& inference)
    {
        Dims const x = inference.input(kX);
        Dims const size = inference.input(kSIZE);
        if (x.size() == 2 && size.size() == 2)
        {
            inference.setOutput(kREADOUT, Type::kFLOAT, {size[0], x[1]});
        }
        inference.setOutput(kHIST_NEXT, Type::kFLOAT, size);
        inference.setOutput(kCUM_NEXT, Type::kFLOAT, size);
        inference.setOutput(kLIVE, Type::kINT32, size);
    }

    void compute(Context const& context) const
    {
        Input const x = context.input(kX);
        Input const size = context.input(kSIZE);
        context.requireRank(kX, x.shape, 2, "[M, D]");
        context.requireRank(kSIZE, size.shape, 2, "[B, K]");
        context.require(x.shape[1] >= 1, "a token of x must have at least one element.");
        Shape const& slots = size.shape;
        auto const* const index = context.data<int64_t>(kINDEX, Shape{x.shape[0]});
        requireAscending(context, kINDEX, index, x.shape[0], slots.volume());
        SpikehaltTokenHaltTensors tensors{};
        tensors.x = context.data<float>(kX, x);
        tensors.size = context.data<float>(kSIZE, size);
        tensors.hist = context.data<float>(kHIST, slots);
        tensors.cum = context.data<float>(kCUM, slots);
        tensors.epsilon = context.data<float>(kEPSILON, Shape{});
        tensors.readout = context.output<float>(kREADOUT, Shape{slots[0], x.shape[1]});
        tensors.histNext = context.output<float>(kHIST_NEXT, slots);
        tensors.cumNext = context.output<float>(kCUM_NEXT, slots);
        tensors.liveNext = context.output<int32_t>(kLIVE, slots);
        withoutRows(tensors, slots.volume());
        std::fill_n(tensors.readout, slots[0] * x.shape[1], 0.0F);
        for (int64_t m = 0; m < x.shape[0]; ++m)
        {
            addRowOf(tensors, m, index[m], index[m] / slots[1], x.shape[1]);
        }
    }

private:
    //! What comes out of slots that have no row.
    static void withoutRows(SpikehaltTokenHaltTensors const& tensors, int64_t slots)
    {
        for (int64_t slot = 0; slot < slots; ++slot)
        {
            tensors.histNext[slot] = tensors.hist[slot];
            tensors.cumNext[slot] = addRounded(tensors.cum[slot], tensors.hist[slot]);
            tensors.liveNext[slot] = 0;
        }
    }

    //! Decide over row m, which is the token in `slot`, and add it to its image's readout.
    void addRowOf(SpikehaltTokenHaltTensors const& tensors, int64_t m, int64_t slot, int64_t image, int64_t width) const
    {
        float const* const row = static_cast<float const*>(tensors.x) + m * width;
        float const h = haltScore(row[0], tensors.size[slot], mParams);
        HaltState const next = haltToken(h, tensors.hist[slot], tensors.cum[slot], 1, tensors.epsilon[0], mParams);
        tensors.histNext[slot] = next.hist;
        tensors.cumNext[slot] = next.cum;
        tensors.liveNext[slot] = next.live;
        addScaledRow(tensors.readout + image * width, row, next.weight, width);
    }

    SpikehaltTokenHaltParams mParams;
};

} // namespace

ort::CustomOp const* ort::packedTokenHaltOp()
{
    return Op<PackedTokenHaltKernel>::get();
}

} // namespace spikehalt
