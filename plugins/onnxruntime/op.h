//! A kernel class as an op that ONNX Runtime can be given.
//!
//! A kernel has kNAME, kINPUTS and kOUTPUTS; a constructor from Attributes; `infer(Inference)`,
//! which gives types and shapes to the outputs; and `compute(Context)`.
#ifndef SPIKEHALT_ONNXRUNTIME_OP_H
#define SPIKEHALT_ONNXRUNTIME_OP_H

#include "attributes.h"
#include "context.h"
#include "inference.h"
#include "registry.h"

#include <climits>
#include <iterator>

namespace spikehalt::ort
{

template <typename Kernel>
class Op
{
public:
    //! The op. It is never destroyed: sessions keep the pointer.
    static CustomOp const* get()
    {
        static CustomOp const op = make();
        return &op;
    }

private:
    //! A kernel with the functions of the ONNX Runtime that made it.
    struct Node
    {
        Api api;
        Kernel kernel;
    };

    static CustomOp make()
    {
        CustomOp op{};
        op.version = kAPI_VERSION;
        op.GetName = [](CustomOp const*) { return Kernel::kNAME; };
        op.GetExecutionProviderType = [](CustomOp const*) { return "CPUExecutionProvider"; };
        op.GetInputType = [](CustomOp const*, size_t index) { return Kernel::kINPUTS[index].type; };
        op.GetInputTypeCount = [](CustomOp const*) { return std::size(Kernel::kINPUTS); };
        op.GetOutputType = [](CustomOp const*, size_t index) { return Kernel::kOUTPUTS[index].type; };
        op.GetOutputTypeCount = [](CustomOp const*) { return std::size(Kernel::kOUTPUTS); };
        op.GetInputCharacteristic = [](CustomOp const*, size_t) { return Presence::kREQUIRED; };
        op.GetOutputCharacteristic = [](CustomOp const*, size_t) { return Presence::kREQUIRED; };
        op.GetInputMemoryType = [](CustomOp const*, size_t) { return MemoryType::kDEFAULT; };
        // No op has variadic inputs or outputs; ONNX Runtime asks all the same.
        op.GetVariadicInputMinArity = [](CustomOp const*) { return 1; };
        op.GetVariadicInputHomogeneity = [](CustomOp const*) { return 1; };
        op.GetVariadicOutputMinArity = [](CustomOp const*) { return 1; };
        op.GetVariadicOutputHomogeneity = [](CustomOp const*) { return 1; };
        op.CreateKernelV2 = &create;
        op.KernelComputeV2 = &compute;
        op.KernelDestroy = [](void* node) { delete static_cast<Node*>(node); };
        op.InferOutputShapeFn = &infer;
        op.GetStartVersion = [](CustomOp const*) { return 1; };
        op.GetEndVersion = [](CustomOp const*) { return INT_MAX; };
        return op;
    }

    static Status* create(CustomOp const*, ApiTable const* table, KernelInfo const* info, void** node)
    {
        Api const api(table);
        return guarded(api, [&] { *node = new Node{api, Kernel(Attributes(api, info, Kernel::kNAME))}; });
    }

    static Status* compute(void* data, KernelContext* context)
    {
        Node const& node = *static_cast<Node*>(data);
        return guarded(node.api, [&] {
            Port const* const inputs = std::data(Kernel::kINPUTS);
            node.kernel.compute(Context(node.api, context, Kernel::kNAME, inputs, Kernel::kOUTPUTS));
        });
    }

    static Status* infer(CustomOp const*, InferContext* context)
    {
        Api const api = registeredApi();
        return guarded(api, [&] { Kernel::infer(Inference(api, context)); });
    }
};

} // namespace spikehalt::ort

#endif
