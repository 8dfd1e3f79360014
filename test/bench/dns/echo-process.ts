/** A process of its own that sends back what it gets, with the bit QR set (RFC 1035 §4.1.1), so that dnsperf takes it for an answer. */
import { createSocket } from 'node:dgram';

const BUFFER_BYTES = 4 * 1024 * 1024;
const FLAGS_AT = 2;
const QR = 0x80;

const socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER_BYTES, sendBufferSize: BUFFER_BYTES });
socket.on('message', (message, { port, address }) => {
  message[FLAGS_AT] = (message[FLAGS_AT] ?? 0) | QR;
  socket.send(message, port, address);
});
process.on('message', () => {
  socket.bind(0, '127.0.0.1', () => process.send?.({ port: socket.address().port }));
});
process.on('disconnect', () => process.exit(0));
