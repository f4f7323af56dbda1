// A small ActivityPub server whose protocol code (JSON-LD, signatures, proofs, WebFinger, NodeInfo) is Fedify's, none of
// it ours: what medfed says has to convince it, and what it says has to convince medfed. Two people live here: frida, and
// felix, who approves his followers by hand. The tests drive it through a second, private port or socket; see
// docs/interop.md. With an origin as the last argument it stands behind a proxy, has a name, and its peers have names.

import { createServer } from "node:http";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { createFederation, MemoryKvStore } from "@fedify/fedify";
import { parseNodeInfo } from "@fedify/fedify/nodeinfo";
import {
  exportJwk, generateCryptoKeyPair, importJwk, signRequest, verifyObject, verifyRequestDetailed,
} from "@fedify/fedify/sig";
import {
  Accept, Activity, Announce, Collection, Create, Delete, Follow, Hashtag, Image, isActor, Like, Mention, Move, Note,
  Person, PUBLIC_COLLECTION, Question, Reject, Service, Tombstone, Undo, Update,
} from "@fedify/vocab";
import { Temporal } from "@js-temporal/polyfill";

const [, , statePath, keysPath, port, control, origin = `http://127.0.0.1:${port}`] = process.argv;
const PEOPLE = { frida: "Frida Lindqvist", felix: "Félix Marchand" };
const LOCKED = new Set(["felix"]);
const HERE = "instance";
const PICTURE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAGUlEQVR4nGP8z8DwnwEJMDGgAcICjKMCAGTmAhE9s8YNAAAAAElFTkSuQmCC", "base64",
);

// ── what survives a restart ─────────────────────────────────────────────────────────────────────────────────────────

const NEW = { notes: {}, activities: {}, followers: {}, aliases: {}, successors: {}, votes: {}, seen: [] };
const state = load(statePath, { ...NEW, firstKnock: "rfc9421", understands: "both" });
const keys = load(keysPath, {});

function load(path, otherwise) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return otherwise;
  }
}

function store(path, value) {
  writeFileSync(`${path}.new`, JSON.stringify(value));
  renameSync(`${path}.new`, path);
}

function save() {
  store(statePath, state);
}

async function keyPairs(identifier) {
  if (!keys[identifier]) {
    const pairs = await Promise.all(["RSASSA-PKCS1-v1_5", "Ed25519"].map((kind) => generateCryptoKeyPair(kind)));
    keys[identifier] = await Promise.all(
      pairs.map(async (pair) => ({ private: await exportJwk(pair.privateKey), public: await exportJwk(pair.publicKey) })),
    );
    store(keysPath, keys);
  }
  return Promise.all(
    keys[identifier].map(async (pair) => ({
      privateKey: await importJwk(pair.private, "private"), publicKey: await importJwk(pair.public, "public"),
    })),
  );
}

// ── what goes out, as the wire saw it ───────────────────────────────────────────────────────────────────────────────

const sent = [];
const foreign = [];
const reach = globalThis.fetch;
globalThis.fetch = async (input, options) => {
  const request = new Request(plainly(input), options);
  // A JSON-LD context that Fedify does not carry, say: a peer behind a firewall could not read what needs it.
  if (!/^127\.0\.0\.1$|\.test$/.test(new URL(request.url).hostname)) {
    foreign.push(request.url);
    throw new TypeError(`${request.url} is not on this machine`);
  }
  const entry = { method: request.method, url: request.url, scheme: schemeOf(request), status: 0, challenge: null };
  sent.push(entry);
  const response = await reach(request);
  entry.status = response.status;
  entry.challenge = response.headers.get("accept-signature");
  return response;
};

// Fedify asks WebFinger by https alone, rightly; here both servers speak http.
function plainly(input) {
  const handle = String(input).startsWith("https://127.0.0.1:") && String(input).includes("/.well-known/webfinger?");
  return handle ? String(input).replace("https:", "http:") : input;
}

function schemeOf(request) {
  if (request.headers.has("signature-input")) return "rfc9421";
  return request.headers.has("signature") ? "cavage" : null;
}

// ── the federation ──────────────────────────────────────────────────────────────────────────────────────────────────

function build() {
  const federation = createFederation({
    kv: new MemoryKvStore(),
    origin,
    allowPrivateAddress: true,
    skipSignatureVerification: false,
    firstKnock: state.firstKnock === "cavage" ? "draft-cavage-http-signatures-12" : "rfc9421",
    inboxChallengePolicy: { enabled: true, requestNonce: Boolean(state.nonces) },
  });
  federation
    .setActorDispatcher("/users/{identifier}", actor)
    .setKeyPairsDispatcher((_ctx, identifier) => keyPairs(identifier))
    .mapHandle((_ctx, username) => (username in PEOPLE || username === HERE ? username : null));
  federation.setObjectDispatcher(Note, "/users/{identifier}/notes/{id}", said).authorize(isSigned);
  federation.setObjectDispatcher(Question, "/users/{identifier}/questions/{id}", said).authorize(isSigned);
  federation.setFollowersDispatcher("/users/{identifier}/followers", (_ctx, identifier) => ({
    items: Object.values(state.followers[identifier] ?? {}).map(recipient),
  }));
  federation.setOutboxDispatcher("/users/{identifier}/outbox", async (ctx, identifier) => ({
    items: await Promise.all(notesOf(identifier).map((note) => wrapped(ctx, note))),
  }));
  federation.setNodeInfoDispatcher("/nodeinfo/2.1", () => ({
    software: { name: "fedify-peer", version: "1.0.0" },
    protocols: ["activitypub"],
    usage: { users: { total: 2 }, localPosts: Object.keys(state.notes).length, localComments: 0 },
  }));
  federation
    .setInboxListeners("/users/{identifier}/inbox", "/inbox")
    .setSharedKeyDispatcher(() => ({ identifier: HERE }))
    .on(Follow, followed)
    .on(Undo, undone)
    .on(Activity, () => {});
  return federation;
}

async function actor(ctx, identifier) {
  if (!(identifier in PEOPLE) && identifier !== HERE) return null;
  const pairs = await ctx.getActorKeyPairs(identifier);
  const about = {
    id: ctx.getActorUri(identifier),
    preferredUsername: identifier,
    name: PEOPLE[identifier] ?? "Fedify peer",
    url: ctx.getActorUri(identifier),
    inbox: ctx.getInboxUri(identifier),
    outbox: ctx.getOutboxUri(identifier),
    followers: ctx.getFollowersUri(identifier),
    manuallyApprovesFollowers: LOCKED.has(identifier),
    aliases: (state.aliases[identifier] ?? []).map((each) => new URL(each)),
    successor: state.successors[identifier] ? new URL(state.successors[identifier]) : null,
    publicKey: pairs[0].cryptographicKey,
    assertionMethods: pairs.map((pair) => pair.multikey),
  };
  return identifier === HERE ? new Service(about) : new Person(about);
}

// Authorised fetch: an object is for whoever signs, as it is on the stricter servers of the network.
async function isSigned(ctx) {
  return (await ctx.getSignedKeyOwner({ documentLoader: await ctx.getDocumentLoader({ identifier: HERE }) })) != null;
}

function said(ctx, { id }) {
  return state.notes[id] ? composed(ctx, state.notes[id]) : null;
}

async function followed(ctx, follow) {
  const follower = await follow.getActor(ctx);
  const target = ctx.parseUri(follow.objectId);
  if (follower == null || target?.type !== "actor" || LOCKED.has(target.identifier)) return;
  await welcome(ctx, target.identifier, follower, follow);
}

async function welcome(ctx, identifier, follower, follow) {
  (state.followers[identifier] ??= {})[follower.id.href] = {
    id: follower.id.href, inbox: follower.inboxId.href, shared: follower.endpoints?.sharedInbox?.href ?? null,
  };
  save();
  const id = new URL(`#accepts/${randomUUID()}`, ctx.getActorUri(identifier));
  await deliver(ctx, identifier, [follower], new Accept({ id, actor: ctx.getActorUri(identifier), object: follow }));
}

async function undone(ctx, undo) {
  const object = await undo.getObject(ctx);
  if (!(object instanceof Follow)) return;
  const target = ctx.parseUri(object.objectId);
  if (target?.type === "actor") delete state.followers[target.identifier]?.[undo.actorId.href];
  save();
}

// ── what is said here ───────────────────────────────────────────────────────────────────────────────────────────────

function notesOf(identifier) {
  return Object.values(state.notes).filter((note) => note.by === identifier);
}

function composed(ctx, note) {
  const kind = note.options ? Question : Note;
  const about = {
    id: ctx.getObjectUri(kind, { identifier: note.by, id: note.id }),
    attribution: ctx.getActorUri(note.by),
    content: note.content,
    summary: note.summary,
    sensitive: note.summary != null,
    published: Temporal.Instant.from(note.published),
    updated: note.updated ? Temporal.Instant.from(note.updated) : null,
    replyTarget: note.replyTo ? new URL(note.replyTo) : null,
    tos: note.private ? note.mentions.map((each) => new URL(each.href)) : [PUBLIC_COLLECTION],
    ccs: note.private ? [] : [ctx.getFollowersUri(note.by), ...note.mentions.map((each) => new URL(each.href))],
    tags: [
      ...note.mentions.map((each) => new Mention({ href: new URL(each.href), name: each.name })),
      ...note.hashtags.map((tag) => new Hashtag({ href: new URL(`/tags/${tag}`, origin), name: `#${tag}` })),
    ],
    attachments: note.imageText
      ? [new Image({ url: new URL("/picture.png", origin), mediaType: "image/png", name: note.imageText })]
      : [],
  };
  if (!note.options) return new Note(about);
  const options = note.options.map((name) => new Note({ name, replies: new Collection({ totalItems: 0 }) }));
  return new Question({ ...about, exclusiveOptions: options, endTime: Temporal.Now.instant().add({ hours: 1 }), voters: 0 });
}

function wrapped(ctx, note, kind = Create) {
  const object = composed(ctx, note);
  const id = new URL(`#${kind === Create ? "create" : randomUUID()}`, object.id);
  return new kind({ id, actor: object.attributionId, object, tos: [...object.toIds], ccs: [...object.ccIds] });
}

function recipient(follower) {
  return {
    id: new URL(follower.id), inboxId: new URL(follower.inbox),
    endpoints: follower.shared ? { sharedInbox: new URL(follower.shared) } : null,
  };
}

// ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────

// Without a queue Fedify sends at once and throws what the other server answered; that is what the tests want to hear.
async function deliver(ctx, identifier, recipients, activity) {
  state.activities[activity.id.href] = { by: identifier, document: await activity.toJsonLd(ctx) };
  save();
  const unique = [...new Map(recipients.map((each) => [each.id.href, each])).values()];
  if (unique.length) await ctx.sendActivity({ identifier }, unique, activity, { immediate: true, preferSharedInbox: true });
}

// An activity as Fedify sends it, with the author's proof: it is delivered to felix, who lives here.
async function proven(ctx, activity) {
  const felix = { id: ctx.getActorUri("felix"), inboxId: ctx.getInboxUri("felix") };
  await deliver(ctx, "frida", [felix], activity);
  return JSON.stringify(state.seen.find((each) => each.id === activity.id.href).document);
}

async function lookedUp(ctx, identifier, target) {
  const documentLoader = await ctx.getDocumentLoader({ identifier });
  const found = await ctx.lookupObject(target, { documentLoader, contextLoader: ctx.contextLoader });
  if (found == null) throw new Refusal(404, `${target} could not be looked up`);
  return found;
}

async function authorOf(ctx, identifier, object) {
  const author = await lookedUp(ctx, identifier, object.attributionId);
  if (!isActor(author)) throw new Refusal(422, `${author.id} is nobody`);
  return author;
}

function followersOf(identifier) {
  return Object.values(state.followers[identifier] ?? {}).map(recipient);
}

// ── the private port: what the tests may ask for ────────────────────────────────────────────────────────────────────

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const verbs = {
  async configure(_ctx, { firstKnock = state.firstKnock, understands = "both", nonces = false }) {
    Object.assign(state, { firstKnock, understands, nonces });
    save();
    federation = build();
    return {};
  },

  async webfinger(ctx, { resource }) {
    return ctx.lookupWebFinger(resource, { allowPrivateAddress: true });
  },

  // Fedify's own fetch of NodeInfo knows public addresses alone; its strict parser is what counts here.
  async nodeinfo(_ctx, { host }) {
    const { links } = await (await fetch(`http://${host}/.well-known/nodeinfo`)).json();
    const found = links.filter((link) => link.rel.startsWith("http://nodeinfo.diaspora.software/ns/schema/2."));
    const documents = await Promise.all(found.map(async (link) => (await fetch(link.href)).json()));
    return documents.map((document) => parseNodeInfo(document));
  },

  async lookup(ctx, { as, target }) {
    foreign.length = 0;
    const found = await lookedUp(ctx, as, target);
    return { kind: found.constructor.name, document: await found.toJsonLd(ctx), foreign };
  },

  // The document as the other server sends it, untouched by any parser, and the status with which it comes.
  async raw(ctx, { as, url, signed = true, scheme }) {
    const [pair] = await ctx.getActorKeyPairs(as);
    let request = new Request(url, { headers: { accept: "application/activity+json" } });
    const spec = scheme === "rfc9421" ? "rfc9421" : "draft-cavage-http-signatures-12";
    if (signed) request = await signRequest(request, pair.privateKey, pair.keyId, { spec });
    const response = await fetch(request);
    return { status: response.status, body: await response.text(), headers: Object.fromEntries(response.headers) };
  },

  async "verify-proof"(ctx, { document }) {
    const verified = await verifyObject(Activity, document, {
      documentLoader: await ctx.getDocumentLoader({ identifier: HERE }), contextLoader: ctx.contextLoader,
    });
    return { verified: verified != null };
  },

  async follow(ctx, { as, target }) {
    const person = await lookedUp(ctx, as, target);
    const id = new URL(`#follows/${randomUUID()}`, ctx.getActorUri(as));
    const to = [person.id];
    await deliver(ctx, as, [person], new Follow({ id, actor: ctx.getActorUri(as), object: person.id, tos: to }));
    return { id: id.href };
  },

  // Answers a Follow that felix let wait: kind is Accept or Reject.
  async answer(ctx, { as, follow, kind }) {
    const entry = state.seen.find((each) => each.id === follow);
    if (!entry) throw new Refusal(404, "no such follow was received");
    const asked = await Follow.fromJsonLd(entry.document, { documentLoader: ctx.documentLoader, contextLoader: ctx.contextLoader });
    const follower = await lookedUp(ctx, as, asked.actorId);
    if (kind === "Accept") {
      await welcome(ctx, as, follower, asked);
    } else {
      const id = new URL(`#rejects/${randomUUID()}`, ctx.getActorUri(as));
      await deliver(ctx, as, [follower], new Reject({ id, actor: ctx.getActorUri(as), object: asked }));
    }
    return {};
  },

  async post(ctx, { as, content, summary = null, mentions = [], hashtags = [], imageText, options, replyTo, private: hidden }) {
    const people = [];
    const named = [];
    for (const handle of mentions) {
      const person = await lookedUp(ctx, as, handle);
      people.push(person);
      named.push({ href: person.id.href, name: handle });
    }
    if (replyTo) people.push(await authorOf(ctx, as, await lookedUp(ctx, as, replyTo)));
    const note = {
      id: randomUUID(), by: as, content, summary, mentions: named, hashtags, imageText, options, replyTo,
      private: Boolean(hidden), published: Temporal.Now.instant().toString(),
    };
    state.notes[note.id] = note;
    const create = wrapped(ctx, note);
    await deliver(ctx, as, hidden ? people : [...people, ...followersOf(as)], create);
    return { note: note.id, uri: (await create.getObject(ctx)).id.href, id: create.id.href };
  },

  async edit(ctx, { as, note: id, content }) {
    const note = state.notes[id];
    note.content = content;
    note.updated = Temporal.Now.instant().toString();
    await deliver(ctx, as, followersOf(as), wrapped(ctx, note, Update));
    return {};
  },

  async delete(ctx, { as, note: id }) {
    const { id: uri } = composed(ctx, state.notes[id]);
    delete state.notes[id];
    const activity = new Delete({
      id: new URL("#delete", uri), actor: ctx.getActorUri(as), object: new Tombstone({ id: uri }), tos: [PUBLIC_COLLECTION],
    });
    await deliver(ctx, as, followersOf(as), activity);
    return {};
  },

  async like(ctx, { as, object }) {
    const author = await authorOf(ctx, as, await lookedUp(ctx, as, object));
    const id = new URL(`#likes/${randomUUID()}`, ctx.getActorUri(as));
    await deliver(ctx, as, [author], new Like({ id, actor: ctx.getActorUri(as), object: new URL(object) }));
    return { id: id.href };
  },

  async boost(ctx, { as, object }) {
    const author = await authorOf(ctx, as, await lookedUp(ctx, as, object));
    const activity = new Announce({
      id: new URL(`#boosts/${randomUUID()}`, ctx.getActorUri(as)), actor: ctx.getActorUri(as), object: new URL(object),
      tos: [PUBLIC_COLLECTION], ccs: [ctx.getFollowersUri(as), author.id], published: Temporal.Now.instant(),
    });
    await deliver(ctx, as, [author, ...followersOf(as)], activity);
    return { id: activity.id.href };
  },

  // Takes back a Follow, a Like or an Announce: whole, as Fedify's guide shows it.
  async undo(ctx, { as, activity, to }) {
    const loaders = { documentLoader: ctx.documentLoader, contextLoader: ctx.contextLoader };
    const object = await Activity.fromJsonLd(state.activities[activity].document, loaders);
    const person = await lookedUp(ctx, as, to);
    const id = new URL(`#undoes/${randomUUID()}`, ctx.getActorUri(as));
    const undo = new Undo({ id, actor: ctx.getActorUri(as), object, tos: [...object.toIds], ccs: [...object.ccIds] });
    await deliver(ctx, as, [person, ...followersOf(as)], undo);
    return {};
  },

  async vote(ctx, { as, question, choice }) {
    const author = await authorOf(ctx, as, await lookedUp(ctx, as, question));
    const id = new URL(`#votes/${randomUUID()}`, ctx.getActorUri(as));
    const vote = new Note({
      id, attribution: ctx.getActorUri(as), name: choice, replyTarget: new URL(question), tos: [author.id],
    });
    const create = new Create({ id: new URL(`${id.href}/activity`), actor: ctx.getActorUri(as), object: vote, tos: [author.id] });
    await deliver(ctx, as, [author], create);
    return {};
  },

  // A Create by frida, correctly made in all but the way that `how` names; answers what the other server said to it.
  // "forwarded" is correct: signed by felix, who passes on what carries frida's own proof.
  async forge(ctx, { inbox, how }) {
    const forwarded = how.startsWith("forwarded");
    const [signing] = await ctx.getActorKeyPairs(forwarded || how === "stranger" ? "felix" : "frida");
    const id = new URL(`/users/frida/notes/${randomUUID()}`, origin);
    const frida = ctx.getActorUri("frida");
    const note = new Note({ id, attribution: frida, content: `forged: ${how}`, to: PUBLIC_COLLECTION });
    const create = new Create({ id: new URL("#create", id), actor: frida, object: note, to: PUBLIC_COLLECTION });
    const honest = forwarded || how === "proof" ? await proven(ctx, create) : JSON.stringify(await create.toJsonLd(ctx));
    const altered = honest.replace("forged", "altered");
    const body = how === "forwarded-body" ? altered : honest;
    let request = new Request(inbox, { method: "POST", headers: { "content-type": "application/activity+json" }, body });
    if (how !== "unsigned" && how !== "proof") {
      request = await signRequest(request, signing.privateKey, signing.keyId, {
        spec: how.startsWith("cavage") ? "draft-cavage-http-signatures-12" : "rfc9421",
        currentTime: Temporal.Now.instant().subtract({ hours: how === "old" ? 30 : 0 }),
        body: new TextEncoder().encode(body).buffer,
      });
    }
    const sending = how.endsWith("body") ? altered : body;
    const answer = await fetch(new Request(inbox, { method: "POST", headers: request.headers, body: sending }));
    const challenge = answer.headers.get("accept-signature");
    return { status: answer.status, challenge, said: await answer.text(), uri: id.href };
  },

  async alias(_ctx, { as, target }) {
    (state.aliases[as] ??= []).push(target);
    save();
    return {};
  },

  async move(ctx, { as, target }) {
    state.successors[as] = target;
    const [actor, followers] = [ctx.getActorUri(as), ctx.getFollowersUri(as)];
    const id = new URL(`#moves/${randomUUID()}`, actor);
    await deliver(ctx, as, followersOf(as), new Move({ id, actor, object: actor, target: new URL(target), tos: [followers] }));
    return {};
  },

  async seen() {
    return state.seen;
  },

  async sent() {
    return sent;
  },

  async followers(_ctx, { as }) {
    return Object.keys(state.followers[as] ?? {});
  },
};

// ── the two ports ───────────────────────────────────────────────────────────────────────────────────────────────────

let federation = build();

async function read(message) {
  const chunks = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function write(answer, response) {
  answer.writeHead(response.status, Object.fromEntries(response.headers));
  answer.end(Buffer.from(await response.arrayBuffer()));
}

async function serve(message, answer) {
  if (message.url === "/picture.png") {
    answer.writeHead(200, { "content-type": "image/png" }).end(PICTURE);
    return;
  }
  const body = message.method === "POST" ? await read(message) : undefined;
  const request = () => new Request(new URL(message.url, origin), { method: message.method, headers: message.headers, body });
  const entry = body ? await witnessed(request(), body) : null;
  const response = entry && ![entry.scheme, "both"].includes(state.understands)
    ? new Response("What a strange signature.", { status: 401 })
    : await federation.fetch(request(), { contextData: undefined });
  if (entry) {
    entry.status = response.status;
    state.seen.push(entry);
    save();
  }
  await write(answer, response);
}

// What Fedify makes of each signature by itself: its inbox is content when the proof or the request verifies.
async function witnessed(request, body) {
  const ctx = federation.createContext(request.clone(), undefined);
  const loaders = { documentLoader: await ctx.getDocumentLoader({ identifier: HERE }), contextLoader: ctx.contextLoader };
  const scheme = schemeOf(request);
  const path = new URL(request.url).pathname;
  let document;
  try {
    document = JSON.parse(body);
  } catch {
    return { id: null, type: null, path, scheme, signed: false, proven: false, document: null };
  }
  const verdict = await verifyRequestDetailed(request, loaders);
  const proven = "proof" in document && (await verifyObject(Activity, document, loaders)) != null;
  return { id: document.id, type: document.type, path, scheme, signed: verdict.verified, proven, document };
}

async function controlled(message, answer) {
  const verb = verbs[message.url.slice(1)];
  let status = 200;
  let result;
  try {
    if (!verb) throw new Refusal(404, "no such verb");
    const asked = await read(message);
    result = await verb(federation.createContext(new URL(origin), undefined), asked.length ? JSON.parse(asked) : {});
  } catch (error) {
    status = error.status ?? 502;
    result = { error: String(error), remoteStatus: error.statusCode ?? null, stack: error.stack };
  }
  answer.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(result ?? null));
}

function answering(handler) {
  return createServer((message, answer) => {
    handler(message, answer).catch((error) => {
      console.error(error);
      answer.writeHead(500).end();
    });
  });
}

await Promise.all([...Object.keys(PEOPLE), HERE].map(keyPairs));
answering(controlled).listen(Number(control) ? { port: Number(control), host: "127.0.0.1" } : control, () => {
  answering(serve).listen(Number(port), "127.0.0.1", () => console.log("ready"));
});
