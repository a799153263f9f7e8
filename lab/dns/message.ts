import { Packet, type Resource } from 'dns2';
import type { Answer, AnswerRecord } from './answer.ts';
import { type RecordType, recordTypes } from './model.ts';
import { normaliseName, wireName } from './names.ts';

/** DNS messages in and out of `dns2`'s packets: the one place that knows the codec. */

export type Rcode = 'NOERROR' | 'FORMERR' | 'SERVFAIL' | 'NXDOMAIN' | 'NOTIMP' | 'REFUSED';

export interface Question {
  readonly id: number;
  /** As asked, letters in the case they came in. */
  readonly name: string;
  /** `A`, `TXT`, ... or `TYPE64` for one without a codec. */
  readonly type: string;
  readonly classCode: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  /** How large a datagram the asker takes: 512 octets unless it said more with EDNS. */
  readonly udpPayloadOctets: number;
  readonly edns: boolean;
}

export interface Reply {
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly recursionAvailable: boolean;
  readonly answers: readonly AnswerRecord[];
  readonly authority: readonly AnswerRecord[];
}

const classicPayloadOctets = 512;
/** The size that survives every path without fragments (DNS flag day 2020). */
const ourPayloadOctets = 1232;
const queryOpcode = 0;

export function typeCode(type: string): number {
  const known: Readonly<Record<string, number>> = Packet.TYPE;
  return known[type] ?? Number(type.replace(/^TYPE/, ''));
}

export function rcodeName(code: number): Rcode {
  switch (code) {
    case 0:
      return 'NOERROR';
    case 1:
      return 'FORMERR';
    case 3:
      return 'NXDOMAIN';
    case 4:
      return 'NOTIMP';
    case 5:
      return 'REFUSED';
    default:
      return 'SERVFAIL';
  }
}

/** `null` when this is no question at all: too short for a header, or itself an answer. */
export function parseQuestion(message: Buffer): Question | 'malformed' | null {
  if (message.length < Packet.HEADER_SIZE) return null;
  const packet = Packet.parse(message);
  if (packet.header.qr === 1) return null;
  const asked = packet.questions[0];
  if (asked === undefined || packet.questions.length !== 1) return 'malformed';
  const opt = packet.additionals.find((record) => record.type === Packet.TYPE.EDNS);
  return {
    id: packet.header.id,
    name: asked.name,
    type: Packet.typeName(asked.type),
    classCode: asked.class,
    opcode: packet.header.opcode,
    recursionDesired: packet.header.rd === 1,
    udpPayloadOctets: opt === undefined ? classicPayloadOctets : Math.max(classicPayloadOctets, opt.class),
    edns: opt !== undefined,
  };
}

/** A reason to turn the question away before looking anything up. */
export function unanswerable(question: Question): Rcode | null {
  if (question.opcode !== queryOpcode) return 'NOTIMP';
  if (question.classCode !== Packet.CLASS.IN) return 'REFUSED';
  if (question.type === 'ANY' || question.type === 'AXFR') return 'NOTIMP';
  return null;
}

/** The owner is written in the asker's own letters, since some resolvers check that case (RFC 5452, 0x20). */
function toResource(record: AnswerRecord, question: Question): Resource {
  const own = normaliseName(question.name) === record.name;
  return new Packet.Resource({
    name: own ? question.name : wireName(record.name),
    type: typeCode(record.type),
    class: Packet.CLASS.IN,
    ttl: record.ttlSeconds,
    ...record.rdata,
  });
}

function build(question: Question, reply: Reply, truncated: boolean): Buffer {
  const packet = new Packet();
  packet.header = new Packet.Header({
    id: question.id,
    qr: 1,
    opcode: question.opcode,
    aa: reply.authoritative ? 1 : 0,
    tc: truncated ? 1 : 0,
    rd: question.recursionDesired ? 1 : 0,
    ra: reply.recursionAvailable ? 1 : 0,
    rcode: Packet.RCODE[reply.rcode],
  });
  packet.questions = [new Packet.Question(question.name, typeCode(question.type), question.classCode)];
  if (!truncated) {
    packet.answers = reply.answers.map((record) => toResource(record, question));
    packet.authorities = reply.authority.map((record) => toResource(record, question));
  }
  if (question.edns) packet.additionals = [Packet.Resource.EDNS([], { udpPayloadSize: ourPayloadOctets })];
  return packet.toBuffer();
}

/** A datagram that would be too large comes back empty with TC set, so that the asker comes again over TCP. */
export function encodeReply(question: Question, reply: Reply, transport: 'udp' | 'tcp'): Buffer {
  const whole = build(question, reply, false);
  return transport === 'udp' && whole.length > question.udpPayloadOctets ? build(question, reply, true) : whole;
}

export const emptyReply = (rcode: Rcode, recursionAvailable: boolean): Reply => ({
  rcode,
  authoritative: false,
  recursionAvailable,
  answers: [],
  authority: [],
});

export function replyOf(answer: Answer): Reply {
  return { ...answer, recursionAvailable: false };
}

/** FORMERR for a message whose header can be read and the rest not: nothing but the header comes back. */
export function encodeFormatError(message: Buffer): Buffer {
  const packet = new Packet();
  packet.header = new Packet.Header({ id: message.readUInt16BE(0), qr: 1, rcode: Packet.RCODE.FORMERR });
  return packet.toBuffer();
}

export function encodeQuestion(id: number, name: string, type: string): Buffer {
  const packet = new Packet();
  packet.header = new Packet.Header({ id });
  packet.questions = [new Packet.Question(name, typeCode(type), Packet.CLASS.IN)];
  packet.additionals = [Packet.Resource.EDNS([], { udpPayloadSize: ourPayloadOctets })];
  return packet.toBuffer();
}

export interface Response {
  readonly id: number;
  readonly rcode: Rcode;
  readonly truncated: boolean;
  readonly answers: readonly AnswerRecord[];
  readonly authority: readonly AnswerRecord[];
}

function isRecordType(type: string): type is RecordType {
  return recordTypes.some((known) => known === type);
}

function fromResource(resource: Resource): AnswerRecord[] {
  const { name, type, class: _class, ttl, ...rdata } = resource;
  const named = Packet.typeName(type);
  if (!isRecordType(named)) return [];
  const fields = rdata as AnswerRecord['rdata'];
  return [{ name: normaliseName(name), type: named, ttlSeconds: ttl, rdata: fields }];
}

/** `null` when it isn't a readable answer. */
export function parseResponse(message: Buffer): Response | null {
  if (message.length < Packet.HEADER_SIZE) return null;
  const packet = Packet.parse(message);
  if (packet.header.qr !== 1 || packet.errors.length > 0) return null;
  return {
    id: packet.header.id,
    rcode: rcodeName(packet.header.rcode),
    truncated: packet.header.tc === 1,
    answers: packet.answers.flatMap(fromResource),
    authority: packet.authorities.flatMap(fromResource),
  };
}
