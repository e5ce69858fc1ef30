// The socket to the server, and the messages that come over it (runtime/live/wire.py).

const RETRY_MS = 1000;
const decoder = new TextDecoder();

/** A picture's message: what it says, the picture's bytes, and the live patches of each side. */
export function parse(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(decoder.decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  const take = (shape) => {
    const size = shape.reduce((product, each) => product * each, 1);
    const bytes = new Uint8Array(buffer, at, size);
    at += size;
    return bytes;
  };
  const pixels = take(head.picture);
  const live = head.sides.map((side) => (side.live ? take(side.live) : null));
  return { ...head, pixels, live };
}

/** A socket that comes back when it is lost. `on` has: words(message), picture(buffer), lost(). */
export class Wire {
  constructor(on) {
    this.on = on;
    this.open();
  }

  open() {
    const address = new URL("live", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) =>
      typeof data === "string" ? this.on.words(JSON.parse(data)) : this.on.picture(data);
    this.socket.onclose = () => {
      this.on.lost();
      setTimeout(() => this.open(), RETRY_MS);
    };
  }

  /** Ask for a change of the knobs. */
  ask(change) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(change));
  }

  /** Send a file: its name, a zero byte, its bytes. */
  async drop(file) {
    const name = new TextEncoder().encode(`${file.name}\0`);
    const message = new Blob([name, await file.arrayBuffer()]);
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(await message.arrayBuffer());
  }
}
