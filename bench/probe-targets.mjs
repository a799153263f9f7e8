// What both sides of the probes bench look at: a service and a port. `node probe-targets.mjs HTTP_PORT TCP_PORT`
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';

const [httpPort, tcpPort] = process.argv.slice(2).map(Number);
createTcpServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.resume();
}).listen({ host: '127.0.0.1', port: tcpPort, backlog: 1024 });
createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain', connection: 'close' }).end('ok\n');
}).listen({ host: '127.0.0.1', port: httpPort, backlog: 1024 });
