/** A process of its own: the server of dns2 with the names of the benchmark. Its order is the imports. */
import { createServer, Packet, type Resource } from 'dns2';
import { hostOf, serviceOf, ZONE, type Import } from './names.ts';

export interface Dns2Order {
  readonly imports: readonly Import[];
}

const TTL_SECONDS = 4;
const IN = Packet.CLASS.IN;

/** The records are plain: what the typings say of `toBuffer` holds for those that were parsed. */
type Record = Omit<Resource, 'toBuffer'>;

const SOA: Record = {
  ...{ name: ZONE, type: Packet.TYPE.SOA, class: IN, ttl: TTL_SECONDS },
  ...{ primary: `ns.dns.${ZONE}`, admin: `hostmaster.${ZONE}`, serial: 1 },
  ...{ refresh: 7_200, retry: 1_800, expiration: 86_400, minimum: TTL_SECONDS },
};

function toRecords(imports: readonly Import[]): ReadonlyMap<string, Record> {
  const records = new Map<string, Record>();
  for (const each of imports) {
    const [host, service] = [hostOf(each), serviceOf(each)];
    const common = { class: IN, ttl: TTL_SECONDS };
    records.set(`${host} ${Packet.TYPE.A}`, { ...common, name: host, type: Packet.TYPE.A, address: each.address });
    const srv = { ...common, name: service, type: Packet.TYPE.SRV, priority: 0, weight: 100 };
    records.set(`${service} ${Packet.TYPE.SRV}`, { ...srv, port: each.port, target: host });
  }
  return records;
}

function serve(records: ReadonlyMap<string, Record>): void {
  const server = createServer({
    udp: true,
    handle(request, send) {
      const response = Packet.createResponseFromRequest(request);
      response.header.aa = 1;
      const [question] = request.questions;
      const record = records.get(`${question?.name.toLowerCase()} ${question?.type}`);
      if (record === undefined) {
        response.header.rcode = Packet.RCODE.NXDOMAIN;
        response.authorities.push(SOA as Resource);
      } else {
        response.answers.push(record as Resource);
      }
      void send(response);
    },
  });
  void server.listen({ udp: { port: 0, address: '127.0.0.1' } }).then(({ udp }) => process.send?.({ port: udp?.port }));
}

process.on('message', ({ imports }: Dns2Order) => serve(toRecords(imports)));
process.on('disconnect', () => process.exit(0));
