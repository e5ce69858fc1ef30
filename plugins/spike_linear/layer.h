//! What SpikeLinear and SpikeConv have in common: weights that are prepared once, and their inputs checked.
#ifndef SPIKEHALT_LAYER_H
#define SPIKEHALT_LAYER_H

#include "../onnxruntime/op.h"
#include "products.h"

#include <optional>

namespace spikehalt
{

constexpr size_t kX = 0;
constexpr size_t kWEIGHT = 1;

//! The weights of a node: prepared when it is made if they are constant, else at every call.
template <typename Kind>
class Layer
{
public:
    using W = typename Kind::W;

    //! `taps`: rows that a list is added to.
    Layer(ort::Attributes const& attributes, int64_t taps)
        : mTaps(taps)
    {
        std::optional<ort::Input> const weight = attributes.constant(kWEIGHT);
        // Others are refused at the first call, which can say so better.
        if (weight && weight->type == ort::typeOf<W>() && weight->shape.rank == 2)
        {
            mWeights = std::make_unique<Weights<Kind>>(
                static_cast<W const*>(weight->data), weight->shape[0], weight->shape[1], taps);
        }
    }

    //! Call `use` with the weights, which must have `inputs` rows.
    template <typename Use>
    void withWeights(ort::Context const& context, int64_t inputs, Use const& use) const
    {
        ort::Input const weight = context.input(kWEIGHT);
        W const* const data = context.data<W>(kWEIGHT, weight);
        context.requireRank(kWEIGHT, weight.shape, 2, "[inputs, outputs]");
        context.requireShape(kWEIGHT, weight.shape, ort::Shape{inputs, weight.shape[1]});
        context.require(inputs * weight.shape[1] <= INT32_MAX, "weight must have fewer than 2^31 elements.");
        mWeights ? use(*mWeights) : use(Weights<Kind>(data, inputs, weight.shape[1], mTaps));
    }

private:
    int64_t mTaps;
    std::unique_ptr<Weights<Kind>> mWeights;
};

} // namespace spikehalt

#endif
