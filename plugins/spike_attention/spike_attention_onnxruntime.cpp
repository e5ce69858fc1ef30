//! SpikeAttention and PackedAttention in ONNX Runtime on a CPU: (q k^T) v of spikes, per image and
//! head. PackedAttention has rows for live tokens alone; what has no row costs nothing.
#include "../onnxruntime/op.h"
#include "attention_loops.h"

#include <vector>

namespace spikehalt
{
namespace
{

using namespace ort;

constexpr size_t kSPIKES = 0;
constexpr size_t kINDEX = 1;
constexpr size_t kMIXED = 0;

//! `place` is for the function body.
template <bool PACKED>
constexpr auto inputPorts()
{
    if constexpr (PACKED)
    {
        return std::array<Port, 3>{{{"spikes", Type::kUNDEFINED}, {"index", Type::kINT64}, {"place", Type::kINT64}}};
    }
    else
    {
        return std::array<Port, 1>{{{"spikes", Type::kUNDEFINED}}};
    }
}

template <bool PACKED>
class AttentionKernel
{
public:
    static constexpr char const* kNAME = PACKED ? "PackedAttention" : "SpikeAttention";
    static constexpr auto kINPUTS = inputPorts<PACKED>();
    static constexpr Port kOUTPUTS[] = {{"mixed", Type::kFLOAT}};

    explicit AttentionKernel(Attributes const& attributes)
        : mHeads(attributes.readInt("heads", 1, INT32_MAX))
        , mSlots(attributes.readInt("slots", 1, INT32_MAX))
    {
    }

    static void infer(Inference const& inference)
    {
        Dims const spikes = inference.input(kSPIKES);
        if (spikes.size() == 2)
        {
            inference.setOutput(kMIXED, Type::kFLOAT, {spikes[0], spikes[1].scaled(1, 0, 3)});
        }
    }

    void compute(Context const& context) const
    {
        Input const spikes = context.input(kSPIKES);
        spikes.type == Type::kUINT8 ? computeAs<uint8_t>(context, spikes) : computeAs<float>(context, spikes);
    }

private:
    template <typename T>
    void computeAs(Context const& context, Input const& spikes) const
    {
        T const* const data = context.data<T>(kSPIKES, spikes);
        context.requireRank(kSPIKES, spikes.shape, 2, "[M, 3 D]");
        context.require(spikes.shape[1] % (3 * mHeads) == 0,
            "a row of spikes must be three times a multiple of attribute heads long.");
        int64_t const width = spikes.shape[1] / 3;
        std::vector<int64_t> const starts = imageStarts(context, spikes.shape[0]);
        float* const mixed = context.output<float>(kMIXED, Shape{spikes.shape[0], width});
        int64_t const rowsEach = spikes.shape[0] / std::max<int64_t>(starts.size() - 1, 1);
        int64_t const units = static_cast<int64_t>(starts.size() - 1) * mHeads;
        int64_t const work = 3 * rowsEach * width / mHeads;
        Attention<T> const attention{data, mixed, width, width / mHeads};
        std::vector<float> scratch(scratchFloats(attention.depth) * std::max<int64_t>(Context::parts(units, work), 1));
        context.split(units, work, [&](int64_t part, int64_t first, int64_t end) {
            for (int64_t unit = first; unit < end; ++unit)
            {
                auto const image = static_cast<size_t>(unit / mHeads);
                attend(attention, starts[image], starts[image + 1], unit % mHeads,
                    scratch.data() + part * scratchFloats(attention.depth));
            }
        });
    }

    //! The first row of each image that has rows, and the number of rows at the end.
    std::vector<int64_t> imageStarts(Context const& context, int64_t rows) const
    {
        int64_t const* const index = PACKED ? context.data<int64_t>(kINDEX, Shape{rows}) : nullptr;
        std::vector<int64_t> starts;
        int64_t last = -1;
        for (int64_t m = 0; m < rows; ++m)
        {
            int64_t const token = PACKED ? index[m] : m;
            if (token < 0 || (PACKED && m > 0 && token <= index[m - 1]))
            {
                context.refuse(kINDEX, "must ascend from 0, which " + std::to_string(token) + " in row "
                        + std::to_string(m) + " does not.");
            }
            if (token / mSlots != last)
            {
                starts.push_back(m);
                last = token / mSlots;
            }
        }
        starts.push_back(rows);
        return starts;
    }

    int64_t mHeads;
    int64_t mSlots;
};

} // namespace

ort::CustomOp const* ort::spikeAttentionOp()
{
    return Op<AttentionKernel<false>>::get();
}

ort::CustomOp const* ort::packedAttentionOp()
{
    return Op<AttentionKernel<true>>::get();
}

} // namespace spikehalt
