//! Types and shapes of a node's outputs, worked out when a model is loaded.
#ifndef SPIKEHALT_ONNXRUNTIME_INFERENCE_H
#define SPIKEHALT_ONNXRUNTIME_INFERENCE_H

#include "status.h"

#include <vector>

namespace spikehalt::ort
{

//! An axis as it is known when a model is loaded.
struct Dim
{
    int64_t size = -1; //!< -1: not known
    std::string name;  //!< of a size that is not known but the same wherever the name stands

    //! The axis `factor` times as long, plus `more`, divided by `divisor`.
    Dim scaled(int64_t factor, int64_t more = 0, int64_t divisor = 1) const
    {
        return size < 0 ? Dim{} : Dim{(size * factor + more) / divisor, {}};
    }
};

using Dims = std::vector<Dim>;

//! A node of a graph that is being loaded.
class Inference
{
public:
    Inference(Api const& api, InferContext const* context);

    //! Shape of an input. Empty: a scalar, or a tensor of which not even the rank is known.
    Dims input(size_t index) const;
    Type inputType(size_t index) const;
    //! An int attribute; `otherwise` if the node has none.
    int64_t attribute(char const* name, int64_t otherwise) const;
    //! Without axes nothing is set, for then the rank is not known.
    void setOutput(size_t index, Type type, Dims const& dims) const;

private:
    TypeShape const* describe(size_t index) const;

    Api mApi;
    InferContext const* mContext;
};

} // namespace spikehalt::ort

#endif
