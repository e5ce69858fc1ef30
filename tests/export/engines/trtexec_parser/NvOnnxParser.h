// In place of the ONNX parser's header, which checkouts of TensorRT 10 hold in a submodule only: trtexec's options
// name these types and use nothing of them.
#pragma once

namespace nvonnxparser
{
class IParser;
class IParserRefitter;
} // namespace nvonnxparser
