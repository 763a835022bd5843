/* From frontend, 252766af, by `make static`. */
var base_default = ".stack,.panel{all:initial;position:fixed;color-scheme:inherit;font:var(--_font);color:var(--_fg)}:not(:popover-open):is(.stack,.panel),[hidden]{display:none!important}*{box-sizing:border-box!important}.unseen{position:absolute;width:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}ol,ul{list-style:none;margin:0;padding:0}svg{width:1.25em;height:1.25em;flex:none;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}button,label{min-height:1.75rem;min-width:1.75rem}button{padding:.25rem .5rem;font:inherit;color:inherit;background:none;border:1px solid transparent;border-radius:.375rem;cursor:pointer}button>svg{display:block;margin:auto}button:hover{background:var(--_hover)}button:disabled{opacity:.55}a{color:var(--_link);min-width:1.5rem;padding-block:.25rem}:focus-visible{outline:2px solid var(--_focus);outline-offset:2px}.item{display:flex;gap:.625rem}.item>svg{color:var(--color)}.item>button{align-self:start;margin-top:-.25rem}.text{flex:1;min-width:0;overflow-wrap:anywhere}.title{font-weight:600}.body{white-space:pre-line}.meta{color:var(--_muted);font-size:.8125em}.actions{display:flex;flex-wrap:wrap;align-items:center;gap:0 .75rem}progress{display:block;width:100%;height:.875rem;accent-color:var(--color)}progress:is(.queued,.retrying){opacity:.5}@media(pointer:coarse){button,label,a{min-height:2.75rem;min-width:2.75rem}a{padding-block:.75rem}}@media(prefers-reduced-motion:reduce){*{animation:none!important}progress:indeterminate{appearance:none}}@media(forced-colors:active){button{border-color:ButtonText}.item{--color: Highlight !important}.item>svg{color:CanvasText}}";
var bell_default = '.bell{position:relative;padding:.4375rem}.bell svg{width:1.5rem;height:1.5rem}.badge{position:absolute;top:0;inset-inline-start:50%}.panel{display:flex;flex-direction:column;width:min(26rem,100vi - 1rem);max-height:min(40rem,100dvb - 5rem);overflow:hidden}.row{display:flex;flex-wrap:wrap;align-items:center;justify-content:space-between;gap:.25rem .5rem;padding:.25rem .75rem}.undo{background:var(--_unread)}h2{margin:0;font-size:1.125rem}h2:focus{outline:none}[aria-pressed=true]{border-color:currentColor;font-weight:600}.scroll{flex:1;overflow:auto;overscroll-behavior:contain;border-block:1px solid var(--_border)}.scroll :focus-visible{outline-offset:-2px}.scroll>button{width:100%}li{padding:.75rem}li+li{border-top:1px solid var(--_border)}li.unread{background:var(--_unread)}li.unread .title:after{content:" \\25cf";color:var(--_link);font-size:.75em}ul .actions{margin-inline-start:-.5rem;gap:0 .25rem}ul .actions a{padding-inline:.5rem}ul .actions button{font-size:.8125em;color:var(--_muted);text-decoration:underline}form{display:flex;gap:.5rem}textarea{flex:1;min-width:0;font:inherit}.note{margin:0;padding:1.5rem;text-align:center;color:var(--_muted)}label{display:flex;align-items:center;gap:.5rem;font-size:.875em}@media(max-width:30rem){.panel{inset:0!important;width:auto;height:100dvb;max-height:none}}';
var toasts_default = ".stack{--offset:var(--monitio-offset,1rem);top:var(--offset);inset-inline-end:var(--offset);width:calc(min(var(--monitio-width, 24rem),100vi - 2 * var(--offset)) + 1.5rem);max-height:80dvb;margin:-.75rem;padding:.75rem;overflow:hidden auto}.stack.bottom{inset-block:auto var(--offset)}.stack.start{inset-inline:var(--offset) auto}.stack.center{inset-inline:0;margin-inline:auto}ol{display:flex;flex-direction:column;gap:.5rem}.toast{padding:.75rem;padding-inline-end:.375rem;animation:arrive .2s}.toast a{color:inherit;font-weight:600}.toast .meta{color:inherit;opacity:.85}.toast .actions button{border-color:var(--_border)}.title,.body{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:4;overflow:hidden}.footer{position:sticky;bottom:0;display:flex;justify-content:end;gap:.5rem;margin-top:.5rem}@keyframes arrive{0%{opacity:0;translate:0 .5rem}}";
var tokens = (name) => `.${name}{--color:var(--_${name});--level-bg:var(--monitio-${name}-bg,var(--_bg));--level-fg:var(--monitio-${name}-fg,var(--_fg))}`;
var LEVELS = ["debug", "info", "success", "warning", "error"].map(tokens).join("");
var styles = { base: base_default + LEVELS, bell: bell_default, toasts: toasts_default };
var ENDED = new Set(["succeeded", "failed", "revoked", "lost"]);
var BIDI_CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g;
var isRunning = ({ job }) => !!job && !ENDED.has(job.state);
var isLocal = ({ id }) => id < 0;
var countsAsUnread = (message) => +!!(message?.persistent && message.id > 0 && !message.read);
var heading = ({ title, body }) => title || body;
var shortHeading = (message) => heading(message).slice(0, 60);
var isExpired = ({ expiresAt }) => expiresAt !== void 0 && expiresAt <= Date.now();
function complete(given) {
	const message = { level: "info", persistent: true, read: false, seen: false, created: (new Date()).toISOString(), ...given };
	for (const field of ["title", "body", "url_label"]) message[field] = String(message[field] ?? "").replace(BIDI_CONTROLS, "");
	if (message.expires_in != null) message.expiresAt ??= Date.now() + message.expires_in * 1e3;
	return message;
}
function safeUrl(url) {
	const absolute = url ? URL.parse(url, document.baseURI) : null;
	return absolute && /^https?:$/.test(absolute.protocol) ? absolute.href : null;
}
var isOlder = (message, known) => message.version < known.version || message.version === known.version && message.seq < known.seq;
var isSince = ({ arrived }, moment) => arrived !== void 0 && arrived > moment;
var SEEN_DELAY = 300;
var UNDO_TIME = 1e4;
var Actions = class {
	url = "";
	csrf = "";
	page = "";
	options = {};
	#store;
	#owner;
	#seen = new Set();
	#seenTimer = 0;
	#discarded = null;
	#discardTimer = 0;
	constructor(store2, owner) {
		this.#store = store2;
		this.#owner = owner;
		addEventListener("pagehide", () => {
			this.#reportSeen();
			this.discard();
		});
	}
	markRead(which) {
		return this.#act(`mark_read/${which}/`, which, this.#store.applyOptimistically(which, { read: true }));
	}
	remove(which) {
		return this.#remove(which, this.#store.applyOptimistically(which, "gone"));
	}
	discard(id) {
		clearTimeout(this.#discardTimer);
		const previous = this.#discarded;
		this.#discarded = id ? { id, settle: this.#store.applyOptimistically(id, "gone") } : null;
		if (id) this.#discardTimer = setTimeout(() => this.discard(), UNDO_TIME);
		if (previous) this.#remove(previous.id, previous.settle);
		this.#store.emit("discarded", !!id);
	}
	undo() {
		this.#discarded?.settle(false);
		this.#discarded = null;
		this.discard();
		this.refresh();
	}
	cancel(id) {
		return this.#try(`cancel/${id}/`);
	}
	fileUrl(id, file) {
		return `${this.url}file/${id}/${file}/`;
	}
	reply(id, message) {
		return this.#try(`reply/${id}/`, { message });
	}
	seen(message) {
		if (message.seen || isLocal(message)) return;
		message.seen = true;
		this.#seen.add(message.id);
		this.#seenTimer ||= setTimeout(() => this.#reportSeen(), SEEN_DELAY);
	}
	async refresh() {
		const asked = performance.now();
		const snapshot = await this.#get("json/").catch(() => null);
		if (snapshot) this.reconcile(snapshot, asked);
	}
	reconcile(snapshot, asked) {
		const { floor, older } = this.#store;
		this.#owner.onSnapshot(snapshot);
		this.#store.replace(snapshot, asked);
		if (older < floor) this.loadOlder(older).catch(() => {});
	}
	async loadOlder(lowest = Infinity) {
		let before;
		do {
			before = this.#store.older;
			const page3 = before && await this.#get(`json/?before=${before}`);
			if (!page3) return;
			this.#store.addOlder(page3.messages, before, page3.more);
		} while (this.#store.older > lowest);
	}
	#remove(which, settle) {
		return this.#act(which === "all" ? "delete/all/" : `delete/message/${which}/`, which, settle);
	}
	async #act(path, which, settle) {
		if (Number(which) < 0) return settle(true);
		settle(!!await this.#try(path));
	}
	#reportSeen() {
		clearTimeout(this.#seenTimer);
		this.#seenTimer = 0;
		if (!this.#seen.size) return;
		const ids = [...this.#seen].map((id) => ["ids", `${id}`]);
		this.#seen.clear();
		this.#post("seen/", ids).catch(() => {});
	}
	async #try(path, fields) {
		try {
			return await this.#post(path, fields);
		} catch {
			this.#store.emit("failed");
			return null;
		}
	}
	async #post(path, fields) {
		if (!this.url) return {};
		const body = new URLSearchParams(fields);
		if (this.page) body.set("page", this.page);
		const send = () => {
			body.set("csrfmiddlewaretoken", this.csrf);
			return this.#fetch(path, { method: "POST", keepalive: true, body });
		};
		let response = this.csrf && await send();
		if (!response || response.status === 403) {
			await this.#get("json/");
			response = await send();
		}
		if (response.status === 409) this.#owner.onForeign();
		return answerOf(response);
	}
	async #get(path) {
		const response = await this.#fetch(path);
		if (response.status === 204) return this.#owner.onForeign(), null;
		const data = await answerOf(response);
		this.csrf = data.csrf ?? this.csrf;
		return data;
	}
	#fetch(path, init) {
		const url = new URL(this.url + path, document.baseURI);
		if (!init) url.searchParams.set("page", this.page);
		const { headers, withCredentials } = this.options;
		return fetch(url, { ...init, credentials: withCredentials ? "include" : "same-origin", headers: { Accept: "application/json", ...headers } });
	}
};
function answerOf(response) {
	if (!response.ok) throw new Error(response.url);
	return response.json();
}
function make(tag, attributes = {}, ...children) {
	const node = document.createElement(tag);
	node.className = attributes.part ?? "";
	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === "function") node.addEventListener(name, value);
		else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
	}
	node.append(...children);
	return node;
}
var button = (part, click, ...children) => make("button", { type: "button", part, click }, ...children);
function setText(node, text) {
	if (node.textContent !== text) node.textContent = text;
}
function batched(work) {
	let timer = 0;
	return () => {
		timer ||= setTimeout(() => {
			timer = 0;
			work();
		}, 30);
	};
}
var later = (act, delay) => setTimeout(act, Math.min(2 ** 31 - 1, delay));
var dispatch = (target, type, detail) => target.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable: true }));
var Rows = class {
	#views = new Map();
	#list;
	#build;
	constructor(list, build) {
		this.#list = list;
		this.#build = build;
	}
	update(messages) {
		const views = new Map(messages.map(({ id }) => [id, this.#views.get(id) ?? this.#build()]));
		const focused = this.#list.getRootNode().activeElement;
		const { children } = this.#list;
		const at = [...children].findIndex((node) => node.contains(focused));
		for (const [id, { node }] of this.#views) if (!views.has(id)) node.remove();
		this.#views = views;
		[...views.values()].forEach((view, index) => {
			view.fill(messages[index]);
			if (children[index] !== view.node) this.#list.insertBefore(view.node, children[index] ?? null);
		});
		if (at < 0 || focused?.isConnected) return void 0;
		return children[Math.min(at, children.length - 1)] ?? null;
	}
};
var EVENTS = ["snapshot", "message", "gone", "resync"];
var FIRST_DELAY = 1e3;
var LONGEST_DELAY = 6e4;
var MISSED = 2.5;
var Stream = class {
	Source = EventSource;
	options = {};
	#source = null;
	#failures = 0;
	#timer = 0;
	#silence = 0;
	#heartbeat = 30;
	#url = "";
	#owner;
	constructor(owner) {
		this.#owner = owner;
	}
	open(url) {
		this.#url = url;
		this.#failures = 0;
		this.#connect();
	}
	close() {
		clearTimeout(this.#timer);
		clearTimeout(this.#silence);
		this.#timer = 0;
		this.#source?.close();
		this.#source = null;
	}
	expect(heartbeat) {
		this.#heartbeat = heartbeat;
		if (this.#source) this.#watch();
	}
	reconnectNow() {
		if (this.#timer) this.#connect();
	}
	#connect() {
		this.close();
		let opened = false;
		const source = this.#source = new this.Source(this.#url, this.options);
		this.#watch();
		const on = (type, act) => source.addEventListener(type, ({ data }) => {
			if (source !== this.#source) return;
			this.#watch();
			act(data && JSON.parse(data));
		});
		for (const type of EVENTS) on(type, (data) => {
			this.#owner.change("open");
			this.#owner.deliver(type, data);
		});
		on("open", () => {
			opened = true;
			this.#failures = 0;
			this.#owner.opened();
		});
		on("beat", () => this.#owner.change("open"));
		on("bye", (bye) => this.#bye(bye));
		on("error", () => this.#lost(opened));
	}
	#watch() {
		clearTimeout(this.#silence);
		if (!this.#heartbeat) return;
		this.#silence = later(() => {
			this.#owner.change("offline");
			this.#connect();
		}, MISSED * 1e3 * this.#heartbeat);
	}
	#bye({ reason, retry }) {
		this.close();
		if (reason === "signed-out") this.#owner.change("stopped");
		else this.#retry(retry);
	}
	#lost(opened) {
		this.close();
		if (++this.#failures > 1) this.#owner.change("offline");
		this.#retry(Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (this.#failures - 1)));
		if (!opened) this.#owner.refresh();
	}
	#retry(delay) {
		this.#timer = later(() => this.#connect(), delay * (0.5 + Math.random()));
	}
};
var LOOK = 1300;
var PATIENCE = 3;
var locks = navigator.locks ?? { request: (_name, _options, act) => act() };
var Tabs = class {
	leads = false;
	#name;
	#member;
	#channel;
	#timer;
	#silence = 0;
	#joined = false;
	#place = null;
	#release = () => {};
	constructor(name, member) {
		this.#name = name;
		this.#member = member;
		this.#channel = new BroadcastChannel(name);
		this.#channel.onmessage = ({ data }) => this.#hear(data);
		this.#timer = setInterval(() => this.#look(), LOOK);
		this.#queue();
		this.#ask();
	}
	broadcast(event, data) {
		if (this.leads) this.#channel.postMessage({ state: this.#member.state, event, data });
	}
	#ask() {
		this.#channel.postMessage(null);
	}
	close() {
		clearInterval(this.#timer);
		this.#place?.abort();
		this.#place = null;
		this.#release();
		this.#channel.close();
	}
	async #queue(steal = false) {
		this.#place?.abort();
		const place = this.#place = new AbortController();
		const options = steal ? { steal } : { signal: place.signal };
		try {
			await locks.request(this.#name, options, () => this.#lead(place));
		} catch (error) {
			if (error.name === "SecurityError") return this.#lead(place);
		}
		if (place !== this.#place || !this.leads) return;
		this.leads = false;
		this.#silence = 0;
		this.#member.follow();
		this.#queue();
	}
	#lead(place) {
		if (place !== this.#place) return void 0;
		this.leads = true;
		this.#member.lead();
		const { promise, resolve } = Promise.withResolvers();
		this.#release = resolve;
		return promise;
	}
	#hear(what) {
		if (!what) return this.broadcast();
		this.#silence = 0;
		if (this.leads) return;
		this.#member.hear(what);
		if (!this.#joined) this.#member.refresh();
		this.#joined = true;
	}
	#look() {
		if (this.leads) return;
		if (++this.#silence <= PATIENCE) return this.#ask();
		this.#silence = 0;
		this.#queue(true);
	}
};
var VisitorCookie = class {
	name = "";
	#requests;
	#act;
	#tabs = null;
	constructor(act) {
		this.#act = act;
		this.#requests = new PerformanceObserver(act);
	}
	get isMissing() {
		try {
			const cookies = this.name && document.cookie.split("; ");
			return !!cookies && !cookies.some((cookie) => cookie.startsWith(`${this.name}=`));
		} catch {
			return true;
		}
	}
	watch(channel) {
		if (this.#tabs) return;
		this.#requests.observe({ type: "resource" });
		this.#tabs = new BroadcastChannel(channel);
		this.#tabs.onmessage = this.#act;
	}
	close() {
		this.#requests.disconnect();
		this.#tabs?.close();
		this.#tabs = null;
	}
};
var Connection = class {
	state = "idle";
	fetchesSnapshot = false;
	#url = "";
	#wanted = false;
	#tabs = null;
	#stream = new Stream(this);
	#visitor = new VisitorCookie(() => this.#wake());
	#page;
	constructor(page3) {
		this.#page = page3;
		addEventListener("pagehide", () => this.#sleep());
		document.addEventListener("freeze", () => this.#sleep());
		addEventListener("pageshow", () => this.#wake());
		document.addEventListener("resume", () => this.#wake());
		document.addEventListener("visibilitychange", () => {
			if (!navigator.locks || !document.hidden) this.#wake();
		});
		addEventListener("online", () => this.#stream.reconnectNow());
	}
	get leads() {
		return !!this.#tabs?.leads;
	}
	use(url, cookie) {
		this.#visitor.name = cookie;
		if (url === this.#url) return;
		this.close();
		this.#url = url;
		this.#set("idle");
	}
	configure(Source, options) {
		this.#stream.Source = Source ?? this.#stream.Source;
		this.#stream.options = options;
		this.#sleep();
		this.#wake();
	}
	expect(heartbeat) {
		this.#stream.expect(heartbeat);
	}
	open() {
		this.#wanted = true;
		this.#wake();
	}
	close() {
		this.#wanted = false;
		this.#sleep();
	}
	stop() {
		this.#set(this.#visitor.isMissing ? "idle" : "stopped");
		this.#sleep();
		this.#wake();
	}
	#sleep() {
		this.#visitor.close();
		this.#stream.close();
		this.#tabs?.close();
		this.#tabs = null;
	}
	#wake() {
		if (document.hidden && !navigator.locks) return this.#sleep();
		if (!this.#wanted || !this.#url || this.#tabs || this.state === "stopped") return;
		const name = `monitio ${this.#url}`;
		if (this.#visitor.isMissing) return this.#visitor.watch(name);
		this.#visitor.close();
		if (this.state === "idle") this.#set("connecting");
		this.#tabs = new Tabs(name, this);
	}
	#set(state) {
		if (state === this.state) return;
		this.state = state;
		if (state === "open") this.#visitor.name = "";
		this.#tabs?.broadcast();
		this.#page.onState(state);
	}
	deliver(event, data) {
		this.#page.deliver(event, data);
		this.#tabs?.broadcast(event, data);
	}
	change(state) {
		if (state === "stopped") this.stop();
		else this.#set(state);
	}
	opened() {
		if (!this.fetchesSnapshot) return;
		this.#set("open");
		this.deliver("resync");
	}
	refresh() {
		this.#page.refresh();
	}
	lead() {
		this.#stream.open(this.#url);
	}
	follow() {
		this.#stream.close();
	}
	hear({ state, event, data }) {
		this.change(state);
		if (event) this.#page.deliver(event, data);
	}
};
var active = Date.now();
var isAway = () => document.hidden || Date.now() - active > 12e4;
function onPresence(update) {
	for (const type of ["visibilitychange", "keydown", "pointerdown", "pointermove"]) document.addEventListener(type, () => {
		if (isAway()) setTimeout(update);
		active = document.hidden ? 0 : Date.now();
	}, true);
}
var site = "";
var page = "";
function setScope(apiUrl, streamUrl2) {
	site = apiUrl;
	page = streamUrl2;
}
var siteKey = (name) => `monitio ${site} ${name}`;
var pageKey = (name) => `monitio ${page} ${name}`;
function remember(storage, key, value) {
	try {
		if (value) window[storage][key] = value;
		return window[storage][key];
	} catch {
		return void 0;
	}
}
var isOn = (name) => remember("localStorage", siteKey(name)) === "yes";
var turn = (name, on) => remember("localStorage", siteKey(name), on ? "yes" : "no");
var KEEP_OPEN = "keep-open";
var wasClosed = (id) => !!remember("sessionStorage", pageKey(`closed ${id}`));
var setClosed = (id) => remember("sessionStorage", pageKey(`closed ${id}`), "yes");
var tellTabs = (id) => remember("localStorage", pageKey("closed"), `${id} ${Date.now()}`);
var closedElsewhere = ({ key, newValue }) => key === pageKey("closed") ? parseInt(newValue ?? "") : NaN;
var MS_PER_WORD = 500;
var QUEUE_FACTOR = 3;
var Popups = class extends EventTarget {
	#open = new Map();
	#visible = [];
	holds = new Set();
	#timer = 0;
	#since = 0;
	#onSeen;
	duration = 8e3;
	autoClose = true;
	constructor(store2, onSeen) {
		super();
		this.#onSeen = onSeen;
		const on = (type, act) => store2.addEventListener(type, (event) => act(event.detail));
		on("put", ({ message, previous }) => this.#put(message, previous));
		on("drop", ({ message, force }) => this.#drop(message, force));
		onPresence(() => this.#changed());
		addEventListener("storage", (event) => this.#remove(closedElsewhere(event)));
	}
	get size() {
		return this.#open.size;
	}
	show(most) {
		this.#charge();
		const all = [...this.#open.values()].reverse();
		const stays = all.filter((popup) => popup.left < Infinity && this.#visible.includes(popup));
		let room = most - stays.length;
		this.#visible = all.filter((popup) => popup.left === Infinity || stays.includes(popup) || room-- > 0).slice(0, most);
		for (const popup of isAway() ? [] : this.#visible) {
			const { message, shown } = popup;
			if (shown) continue;
			popup.shown = true;
			popup.left = this.#lifetime(message);
			if (!isRunning(message)) this.#onSeen(message);
		}
		this.#wait();
		return this.#visible.map(({ message }) => message);
	}
	hold(reason, on) {
		this.#charge();
		this.holds[on ? "add" : "delete"](reason);
		this.#changed();
	}
	close(id) {
		const popup = this.#open.get(id);
		if (!popup) return;
		if (isRunning(popup.message)) setClosed(id);
		else this.#onSeen(popup.message);
		tellTabs(id);
		this.#remove(id);
	}
	closeAll() {
		this.#open.forEach((_popup, id) => this.close(id));
	}
	setKeepOpen(on) {
		turn(KEEP_OPEN, on);
		for (const popup of this.#open.values()) popup.left = this.#lifetime(popup.message);
		this.#changed();
	}
	#put(message, previous) {
		const popup = this.#open.get(message.id);
		if (popup) this.#update(popup, message, previous);
		else if (wantsToPopUp(message, previous) && this.#emit("incoming", message, previous)) {
			this.#open.set(message.id, { message, left: QUEUE_FACTOR * this.#lifetime(message), shown: false });
			this.#changed();
		}
	}
	#update(popup, message, previous) {
		const running = isRunning(message);
		const ended = !running && isRunning(popup.message);
		popup.message = message;
		if (running || ended) popup.left = QUEUE_FACTOR * this.#lifetime(message);
		if (ended) popup.shown = false;
		const over = message.seen && !popup.shown && !running && isAway();
		if (over || message.read || isExpired(message) || !this.#emit(ended ? "incoming" : "update", message, previous)) this.#remove(message.id);
		else this.#changed();
	}
	#drop(message, force = false) {
		if (force || message.persistent || !this.#open.get(message.id)?.shown) this.#remove(message.id);
	}
	#emit(type, message, previous) {
		return dispatch(this, type, { message, previous });
	}
	#remove(id) {
		if (this.#open.delete(id)) this.#changed();
	}
	#lifetime(message) {
		const { level, url, body, close_timeout: seconds } = message;
		if (isRunning(message) || isOn(KEEP_OPEN)) return Infinity;
		if (seconds != null) return seconds * 1e3 || Infinity;
		if (!this.autoClose || level === "error" || level === "warning" || url) return Infinity;
		const words = `${heading(message)} ${body}`.split(/\s+/).length;
		return Math.max(this.duration, words * MS_PER_WORD);
	}
	#changed() {
		dispatch(this, "change");
	}
	#charge() {
		const now = performance.now();
		for (const popup of this.#timer ? [...this.#open.values()] : []) {
			popup.left -= now - this.#since;
			if (popup.left > 0) continue;
			if (popup.shown) this.close(popup.message.id);
			else this.#remove(popup.message.id);
		}
		this.#since = now;
	}
	#wait() {
		clearTimeout(this.#timer);
		this.#timer = 0;
		const next = Math.min(...[...this.#open.values()].map(({ left }) => left));
		if (next < Infinity && !isAway() && !this.holds.size) this.#timer = later(() => this.#changed(), next);
	}
};
function wantsToPopUp(message, previous) {
	const { id, version, read, seen } = message;
	if (read || isExpired(message)) return false;
	if (isRunning(message)) return !wasClosed(id);
	if (seen) return false;
	return !previous || isRunning(previous) || previous.seen && version > previous.version;
}
var Store = class extends EventTarget {
	messages = new Map();
	unread = 0;
	#capped = false;
	floor = 0;
	older = 0;
	#gone = new Set();
	#absent = new Set();
	#assumed = new Map();
	#lastLocalId = 0;
	#expiryTimer = 0;
	list() {
		return [...this.messages.values()].sort((a, b) => Date.parse(b.created) - Date.parse(a.created) || b.id - a.id);
	}
	seed(given) {
		const { id = 0, version = 0 } = given;
		const known = this.messages.get(id);
		if (!id) this.addLocal(given);
		else if (!this.#isOut(id) && !(known && known.version >= version)) this.#put(given);
	}
	receive(message) {
		const known = this.messages.get(message.id);
		if (this.#isOut(message.id) || known && isOlder(message, known)) return;
		const before = known ? countsAsUnread(known) : +(message.persistent && message.id < this.floor);
		const arrived = performance.now();
		this.#count(countsAsUnread(this.#put({ ...message, arrived })) - before);
	}
	replace({ messages, unread, unread_capped: capped = false, floor }, asked = Infinity) {
		const told = new Set(messages.map(({ id }) => id));
		let since = 0;
		for (const message of messages) since += countsAsUnread(this.#current(message, asked)) - countsAsUnread(message);
		for (const known of this.messages.values()) if (isSince(known, asked) && !told.has(known.id)) since += countsAsUnread(known);
		this.#capped = capped;
		this.floor = this.older = floor;
		this.#take(messages, (known) => !isSince(known, asked) && (known.id >= floor || isRunning(known)));
		this.setUnread(capped ? unread : unread + since);
	}
	addOlder(messages, before, more) {
		this.older = more ? messages[messages.length - 1].id : 0;
		this.#take(messages, ({ id }) => id >= this.older && id < before);
	}
	forget(ids) {
		for (const id of ids) {
			this.#gone.add(id);
			const known = this.messages.get(id);
			if (known) this.#lose(known);
		}
	}
	addLocal(given) {
		return this.#put({ ...given, id: --this.#lastLocalId }).id;
	}
	change(id, changes) {
		const known = this.messages.get(id);
		if (known) this.#put({ ...known, ...changes, id });
	}
	applyOptimistically(which, changes) {
		const ids = which === "all" ? [...this.messages.keys()] : [which];
		const before = ids.flatMap((id) => this.messages.get(id) ?? []);
		const { unread } = this;
		if (changes === "gone") this.forget(ids);
		else for (const known of before) {
			this.#assumed.set(known.id, changes);
			this.#count(countsAsUnread(this.#put(known)) - countsAsUnread(known));
		}
		if (which === "all") this.setUnread(0);
		const taken = unread - this.unread;
		return (ok) => {
			for (const id of ids) this.#assumed.delete(id);
			if (ok) return;
			for (const message of before) {
				this.#gone.delete(message.id);
				if (!(Number(this.messages.get(message.id)?.version) > message.version)) this.#put(message);
			}
			this.setUnread(this.unread + taken);
		};
	}
	clear() {
		for (const known of [...this.messages.values()]) this.#drop(known, true);
		this.#gone.clear();
		this.#absent.clear();
		this.floor = this.older = 0;
		this.#capped = false;
		this.setUnread(0);
	}
	setUnread(unread) {
		if (unread === this.unread) return;
		this.unread = Math.max(0, unread);
		this.emit("unread");
	}
	emit(type, detail) {
		dispatch(this, type, detail);
	}
	#current(message, asked) {
		const { id, version } = message;
		const known = this.messages.get(id);
		if (this.#gone.has(id)) return void 0;
		if (known && isSince(known, asked) && known.version > version) return known;
		return { ...message, ...this.#assumed.get(id) };
	}
	#isOut(id) {
		return this.#gone.has(id) || this.#absent.has(id);
	}
	#take(messages, speaksFor) {
		const present = new Set(messages.map(({ id }) => id));
		for (const known of [...this.messages.values()]) if (!isLocal(known) && !present.has(known.id) && speaksFor(known)) {
			this.#absent.add(known.id);
			this.#drop(known);
		}
		for (const message of [...messages].reverse()) {
			const { id, version, job } = message;
			const known = this.messages.get(id);
			this.#absent.delete(id);
			if (this.#gone.has(id) || known && version < known.version) continue;
			if (version !== known?.version || job) this.#put(message);
		}
	}
	#put(given) {
		const message = complete({ ...given, ...this.#assumed.get(given.id ?? 0) });
		const previous = this.messages.get(message.id);
		this.messages.set(message.id, message);
		this.emit("put", { message, previous });
		if (message.expiresAt) this.#expire();
		return message;
	}
	#drop(message, force = false) {
		if (this.messages.delete(message.id)) this.emit("drop", { message, force });
	}
	#lose(message, force = false) {
		this.#drop(message, force);
		this.#count(-countsAsUnread(message));
	}
	#count(change) {
		if (!this.#capped) this.setUnread(this.unread + change);
	}
	#expire() {
		clearTimeout(this.#expiryTimer);
		let next = Infinity;
		for (const message of [...this.messages.values()]) if (isExpired(message)) this.#lose(message, true);
		else next = Math.min(next, message.expiresAt ?? next);
		if (next === Infinity) return;
		this.#expiryTimer = later(() => this.#expire(), next - Date.now() + 1);
	}
};
var strings = {};
function loadStrings() {
	strings = JSON.parse(document.querySelector("script[data-strings]")?.textContent ?? "{}");
}
var t = (key, values = {}) => (strings[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
var language = () => document.documentElement.lang || void 0;
var formatNumber = (number, options) => new Intl.NumberFormat(language(), options).format(number);
var formatPercent = (percent) => formatNumber(Math.floor(percent) / 100, { style: "percent" });
function scale(seconds) {
	if (seconds < 60) return [Math.round(seconds), "second"];
	if (seconds < 3600) return [Math.round(seconds / 60), "minute"];
	if (seconds < 86400) return [Math.round(seconds / 3600), "hour"];
	return [Math.round(seconds / 86400), "day"];
}
function formatDuration(seconds) {
	const [n, unit] = scale(seconds);
	return formatNumber(n, { style: "unit", unit });
}
function formatSize(bytes) {
	const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
	const at = Math.min(3, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
	return formatNumber(bytes / 1024 ** at, { style: "unit", unit: units[at], maximumFractionDigits: 1 });
}
function formatAge(date) {
	const [n, unit] = scale(Math.max(0, (Date.now() - +date) / 1e3));
	return new Intl.RelativeTimeFormat(language(), { numeric: "auto" }).format(-n, unit);
}
var GRACE = 2e3;
var store = new Store();
var actions = new Actions(store, { onForeign: () => connection.stop(), onSnapshot: ({ heartbeat = 0 }) => connection.expect(heartbeat) });
var popups = new Popups(store, (message) => actions.seen(message));
var connection = new Connection({ deliver, onState, refresh: () => actions.refresh() });
var attached = new Set();
var streamUrl = null;
function attach(element) {
	attached.add(element);
	connection.open();
}
function detach(element) {
	attached.delete(element);
	setTimeout(() => attached.size || connection.close(), GRACE);
}
function configure(element) {
	const url = element.getAttribute("stream-url") ?? "";
	if (streamUrl !== null && url !== streamUrl) store.clear();
	streamUrl = url;
	connection.fetchesSnapshot = element.getAttribute("stream-snapshot") === "json";
	connection.use(url, element.getAttribute("visitor-cookie") ?? "");
	actions.url = element.getAttribute("api-url") ?? "";
	setScope(actions.url, url);
	actions.csrf = element.getAttribute("csrf-token") ?? actions.csrf;
	actions.page = new URL(url, document.baseURI).searchParams.get("page") ?? "";
}
function deliver(type, data) {
	if (type === "message") store.receive(data);
	else if (type === "gone") store.forget(data.ids);
	else if (type === "resync") actions.refresh();
	else actions.reconcile(data);
}
function onState(state) {
	store.emit("connection");
	if (state !== "stopped") return;
	store.addLocal({ level: "warning", title: t("stopped"), body: t("stopped_body"), url: location.pathname + location.search, url_label: t("reload") });
}
var MonitioElement = class extends HTMLElement {
	root = this.attachShadow({ mode: "open" });
	#internals = this.attachInternals();
	#left = new AbortController();
	constructor(css = "") {
		super();
		loadStrings();
		const sheet = new CSSStyleSheet();
		sheet.replaceSync(styles.base + css);
		this.root.adoptedStyleSheets = [sheet];
	}
	connectedCallback() {
		this.connect();
		attach(this);
	}
	disconnectedCallback() {
		this.#left.abort();
		this.#left = new AbortController();
		detach(this);
	}
	connectedMoveCallback() {}
	connect() {}
	listen(target, type, listener) {
		target.addEventListener(type, listener, { signal: this.#left.signal });
	}
	fire(type, detail = {}) {
		return dispatch(this, `monitio:${type}`, detail);
	}
	state(name, on) {
		this.#internals.states[on ? "add" : "delete"](name);
	}
	hasFocus(node) {
		return node.contains(this.root.activeElement);
	}
};
var PATHS = { info: "M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0M12 11v6m0-10v0", success: "M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0m5 0 3 3 5-6", warning: "M12 3 2 20h20zm0 6v5m0 3v0", error: "M8 3h8l5 5v8l-5 5H8l-5-5V8zm4 4v6m0 3v0", running: "M12 3a9 9 0 1 0 9 9", bell: "M6 17v-7a6 6 0 0 1 12 0v7zm-3 0h18m-11 4h4", close: "m6 6 12 12m0-12L6 18" };
var SVG = "http://www.w3.org/2000/svg";
function icon(name) {
	const svg = document.createElementNS(SVG, "svg");
	svg.setAttribute("viewBox", "0 0 24 24");
	svg.setAttribute("aria-hidden", "true");
	svg.setAttribute("part", "icon");
	const path = document.createElementNS(SVG, "path");
	svg.append(path);
	setIcon(svg, name);
	return svg;
}
function setIcon(svg, name) {
	svg.firstElementChild?.setAttribute("d", PATHS[name] ?? PATHS.info);
}
var ProgressBar = class {
	#bar = make("progress", { part: "progress", max: 100 });
	#line = make("div", { class: "meta", dir: "auto" });
	node = make("div", {}, this.#bar, this.#line);
	fill(message) {
		const { job } = message;
		this.node.hidden = !isRunning(message);
		if (!job || this.node.hidden) return;
		if (job.percent == null) this.#bar.removeAttribute("value");
		else this.#bar.value = job.percent;
		this.#bar.className = job.state;
		this.#bar.ariaLabel = t("progress", { title: heading(message) });
		setText(this.#line, [amount(job), ...speed(job), job.text].filter(Boolean).join(" · "));
	}
};
var speed = ({ state, eta, rate }) => state === "started" ? [eta != null && t("eta", { time: formatDuration(eta) }), rate != null && t("rate", { n: formatNumber(rate, { maximumSignificantDigits: 2 }) })] : [];
function amount({ state, percent, done }) {
	if (state === "started" && percent != null) return formatPercent(percent);
	if (state === "started" && done) return t("done", { n: formatNumber(done) });
	return t(`state_${state}`);
}
function labelled(key, click) {
	const of = make("span", { class: "unseen" });
	const node = button(key.replace("_", "-"), click, t(key), of);
	return { node, of };
}
var MessageView = class {
	message = null;
	icon = icon("info");
	word = make("span", { class: "unseen" });
	title = make("div", { part: "title", dir: "auto" });
	body = make("div", { part: "body", dir: "auto" });
	bar = new ProgressBar();
	link = make("a", { part: "action" });
	#cancel = labelled("cancel", () => this.#cancelJob());
	#shownFiles = "";
	#files = make("span", { class: "files" });
	actions = make("div", { part: "actions" }, this.link, this.#files, this.#cancel.node);
	text = make("div", { class: "text" }, this.word, this.title, this.body, this.bar.node, this.actions);
	node;
	constructor(tag = "li") {
		this.node = make(tag, {}, this.icon, this.text);
	}
	fill(message, part) {
		const { level, title, body, url_label } = message;
		this.message = message;
		this.node.className = `item ${part} ${level}`;
		this.node.part.value = `${part} ${level}`;
		setIcon(this.icon, isRunning(message) ? "running" : level);
		setText(this.word, `${t(`level_${level}`)}: `);
		setText(this.title, heading(message));
		setText(this.body, title ? body : "");
		this.body.hidden = !title || !body;
		this.bar.fill(message);
		const url = safeUrl(message.url);
		this.link.hidden = !url;
		this.link.href = url ?? "";
		setText(this.link, url_label || t("open"));
		this.#fillFiles(message);
		this.#cancel.node.hidden = !(isRunning(message) && message.job?.cancel);
		setText(this.#cancel.of, ` ${shortHeading(message)}`);
	}
	#fillFiles({ id, job }) {
		const files = job?.files ?? [];
		const shown = JSON.stringify([id, files]);
		if (shown === this.#shownFiles) return;
		this.#shownFiles = shown;
		this.#files.hidden = !files.length;
		this.#files.replaceChildren(...files.map((file) => {
			const { name, gone } = file;
			if (gone) return make("span", { dir: "auto" }, t("gone", { name }));
			const href = actions.fileUrl(id, file.id);
			const text = t("download", { name, size: formatSize(file.size) });
			return make("a", { part: "action", href, download: true, dir: "auto" }, text);
		}));
	}
	async #cancelJob() {
		const { node } = this.#cancel;
		node.disabled = true;
		node.disabled = !!await actions.cancel(this.message.id);
	}
};
var InboxItem = class extends MessageView {
	#time = make("time", { class: "meta" });
	#markRead = labelled("mark_read", () => actions.markRead(this.message.id));
	#reply = labelled("reply", () => this.#toggleForm());
	#remove;
	#field = make("textarea", { rows: 3, maxlength: 1e4, required: true, dir: "auto", "aria-label": t("answer") });
	#send = make("button", { part: "send" }, t("send"));
	#form = make("form", { hidden: true, part: "reply-form" }, this.#field, this.#send);
	#onSent;
	constructor(onRemove, onSent) {
		super();
		this.#onSent = onSent;
		this.#remove = labelled("delete", () => onRemove(this.message));
		this.link.addEventListener("click", () => actions.markRead(this.message.id));
		this.actions.append(this.#markRead.node, this.#reply.node, this.#remove.node);
		this.bar.node.after(this.#time);
		this.text.append(this.#form);
		this.#form.addEventListener("submit", (event) => {
			event.preventDefault();
			this.#answer();
		});
	}
	fill(message) {
		const unread = !message.read && !isLocal(message);
		super.fill(message, unread ? "entry unread" : "entry");
		if (unread) this.word.prepend(`${t("unread")}, `);
		this.#markRead.node.hidden = !unread;
		this.#reply.node.hidden = !message.from || isLocal(message);
		for (const { of } of [this.#markRead, this.#reply, this.#remove]) setText(of, ` ${shortHeading(message)}`);
		setText(this.#time, [message.from, formatAge(new Date(message.created))].filter(Boolean).join(" · "));
		this.#time.dateTime = message.created;
	}
	#toggleForm() {
		this.#form.hidden = !this.#form.hidden;
		this.#reply.node.ariaExpanded = `${!this.#form.hidden}`;
		this.#field.focus();
	}
	async #answer() {
		this.#send.disabled = true;
		if (await actions.reply(this.message.id, this.#field.value)) {
			this.#form.reset();
			this.#toggleForm();
			this.#reply.node.focus();
			this.#onSent();
		}
		this.#send.disabled = false;
	}
};
var MOST = 99;
function showBadges(element, unread) {
	if (element.hasAttribute("title-badge")) document.title = (unread ? `(${unread > MOST ? `${MOST}+` : unread}) ` : "") + document.title.replace(/^\(\d+\+?\) /, "");
	if (element.hasAttribute("app-badge")) navigator.setAppBadge?.(unread).catch(() => {});
}
var inSight = () => siteKey("in sight");
var canNotify = () => "Notification" in window && !!navigator.locks && !!document.querySelector("monitio-messages[system-notifications]");
var notifies = () => Notification.permission === "granted" && isOn("notify");
async function setNotifies(on) {
	turn("notify", on && await Notification.requestPermission() === "granted");
	return notifies();
}
function notify(message) {
	if (!canNotify() || !notifies() || isRunning(message)) return;
	navigator.locks.request(inSight(), { ifAvailable: true }, (lock) => lock && show(message));
}
function show(message) {
	const { id, title, body, url } = message;
	const target = safeUrl(url);
	try {
		const tag = pageKey(`${id}`);
		const shown = new Notification(heading(message), { body: title && body, tag });
		shown.onclick = () => {
			focus();
			if (target) location.assign(target);
		};
	} catch {}
}
var away = Promise.withResolvers();
function watchSight() {
	away.resolve(null);
	if (document.hidden || !canNotify()) return;
	const { promise } = away = Promise.withResolvers();
	navigator.locks.request(inSight(), { mode: "shared" }, () => promise);
}
document.addEventListener("visibilitychange", watchSight);
var GAP = 8;
var row = (...children) => make("div", { class: "row" }, ...children);
var MonitioBell = class extends MonitioElement {
	#unreadOnly = false;
	#hadFocus = false;
	#renderSoon = batched(() => this.#render());
	#badge = make("span", { part: "badge", "aria-hidden": "true" });
	#button = button("bell", () => this.#panel.togglePopover(), make("slot", { name: "icon" }, icon("bell")), this.#badge);
	#heading = make("h2", { tabindex: -1 }, t("bell"));
	#close = button("panel-close", () => this.close(), icon("close"));
	#tabs = make("div", { role: "group", "aria-label": t("bell") }, this.#tab("all", false), this.#tab("unread", true));
	#markAll = button("mark-all", () => actions.markRead("all"), t("mark_all"));
	#offline = make("p", { class: "note", part: "offline" }, t("offline"));
	#list = make("ul", { part: "inbox", role: "list", tabindex: 0, "aria-label": t("bell") });
	#empty = make("slot", { name: "empty" }, make("p", { class: "note", part: "empty" }, t("empty")));
	#older = button("older", () => this.#loadOlder(), t("older"));
	#keep = make("input", { type: "checkbox", change: () => popups.setKeepOpen(this.#keep.checked) });
	#notify = make("input", { type: "checkbox", change: () => this.#setNotifies() });
	#notifyLabel = make("label", {}, this.#notify, t("notify"));
	#undo = make("div", { class: "row undo", hidden: true }, t("deleted"), button("undo", () => this.#takeBack(), t("undo")));
	#all = make("a", { part: "all" }, t("see_all"));
	#status = make("div", { class: "unseen", role: "status" });
	#panel = make("div", { part: "panel", popover: "auto", role: "dialog", "aria-label": t("bell") }, row(this.#heading, this.#close), row(this.#tabs, this.#markAll), this.#offline, make("div", { class: "scroll" }, this.#list, this.#empty, this.#older), this.#undo, row(make("label", {}, this.#keep, t("keep_open")), this.#notifyLabel, this.#all), this.#status);
	#rows = new Rows(this.#list, () => new InboxItem((message) => this.#remove(message), () => setText(this.#status, t("sent"))));
	constructor() {
		super(styles.bell);
		this.#button.ariaHasPopup = "dialog";
		this.#close.ariaLabel = t("close", { title: t("bell") });
		this.#panel.addEventListener("beforetoggle", () => {
			this.#hadFocus = this.hasFocus(this.#panel);
		});
		this.#panel.addEventListener("toggle", () => this.#toggled());
		this.root.append(this.#button, this.#panel);
	}
	open() {
		this.#panel.togglePopover(true);
	}
	close() {
		this.#panel.togglePopover(false);
	}
	connect() {
		const unread = +(this.getAttribute("unread") ?? 0);
		if (unread && connection.state !== "open") store.setUnread(unread);
		for (const type of ["put", "drop", "connection"]) this.listen(store, type, this.#renderSoon);
		this.listen(store, "unread", () => this.#count());
		this.listen(store, "discarded", ({ detail }) => this.#undo.hidden = !detail);
		this.listen(window, "resize", () => this.#place());
		this.#button.ariaExpanded = "false";
		this.#count();
	}
	disconnectedCallback() {
		super.disconnectedCallback();
		popups.hold("inbox", false);
	}
	get #isOpen() {
		return this.#panel.matches(":popover-open");
	}
	#tab(key, unreadOnly) {
		const tab = button("tab", () => {
			this.#unreadOnly = unreadOnly;
			for (const other of this.#tabs.children) other.ariaPressed = `${other === tab}`;
			this.#render();
		}, t(key));
		tab.ariaPressed = `${!unreadOnly}`;
		return tab;
	}
	#toggled() {
		const open = this.#isOpen;
		this.#button.ariaExpanded = `${open}`;
		popups.hold("inbox", open);
		this.fire(open ? "open" : "closed");
		if (open) this.#opened();
		else if (this.#hadFocus) this.#button.focus();
	}
	#opened() {
		if (connection.state !== "open") actions.refresh();
		this.#keep.checked = isOn(KEEP_OPEN);
		this.#notifyLabel.hidden = !canNotify();
		this.#notify.checked = canNotify() && notifies();
		this.#all.href = this.querySelector("a")?.href ?? actions.url;
		this.#place();
		this.#render();
		this.#heading.focus({ preventScroll: true });
	}
	#place() {
		if (!this.#isOpen) return;
		const { left, right, bottom } = this.#button.getBoundingClientRect();
		const { style, offsetWidth } = this.#panel;
		const wished = this.matches(":dir(rtl)") ? left : right - offsetWidth;
		const rightmost = document.documentElement.clientWidth - offsetWidth - GAP;
		style.left = `${Math.max(GAP, Math.min(rightmost, wished))}px`;
		style.top = `${bottom + GAP / 2}px`;
	}
	#count() {
		const { unread } = store;
		const n = unread > MOST ? `${formatNumber(MOST)}+` : formatNumber(unread);
		this.#badge.hidden = this.#markAll.disabled = !unread;
		setText(this.#badge, n);
		this.#button.ariaLabel = t("bell") + (unread ? `, ${t("unread_count", { n })}` : "");
		this.state("unread", unread > 0);
	}
	#render() {
		if (!this.#isOpen) return;
		const messages = store.list().filter((message) => this.#belongs(message));
		const instead = this.#rows.update(messages);
		this.#offline.hidden = connection.state !== "offline";
		this.#list.hidden = !messages.length;
		this.#empty.hidden = !this.#list.hidden;
		this.#older.hidden = !store.older;
		if (instead === void 0) return;
		const next = instead?.querySelector("button:not([hidden])");
		(next ?? this.#heading).focus();
	}
	#belongs(message) {
		if (isLocal(message)) return !this.#unreadOnly;
		return message.persistent && !(this.#unreadOnly && message.read);
	}
	#remove(message) {
		if (!this.fire("delete", { message: { ...message } })) return;
		if (isLocal(message)) actions.remove(message.id);
		else actions.discard(message.id);
		setText(this.#status, t("deleted"));
	}
	#takeBack() {
		setText(this.#status, "");
		actions.undo();
		this.#heading.focus();
	}
	async #setNotifies() {
		this.#notify.checked = await setNotifies(this.#notify.checked);
	}
	async #loadOlder() {
		this.#older.disabled = true;
		await actions.loadOlder().catch(() => store.emit("failed"));
		this.#older.disabled = false;
		this.#render();
	}
};
var GATHER = 150;
var KEEP = 7e3;
var AT_ONCE = 4;
var region = (role) => make("div", { class: "unseen", role, "aria-atomic": "false" });
var Announcer = class {
	status = region("status");
	alert = region("alert");
	every = 30;
	#lastSaid = new Map();
	#queue = [];
	message(message, previous) {
		const now = performance.now();
		const news = !previous || previous.job?.state !== message.job?.state || heading(previous) !== heading(message);
		const due = this.every && now - (this.#lastSaid.get(message.id) ?? 0) >= this.every * 1e3;
		if (!news && !(due && isRunning(message))) return;
		this.#lastSaid.set(message.id, now);
		this.t(wording(message), message.level === "error");
	}
	t(text, urgent = false) {
		const talks = !urgent && this.status.childElementCount >= AT_ONCE;
		if (urgent || !this.#queue.length) setTimeout(() => this.#speak(), talks ? KEEP : GATHER);
		this.#queue.push({ text, urgent });
	}
	#speak() {
		const queue = this.#queue.splice(0).sort((a, b) => +b.urgent - +a.urgent);
		if (queue.length > AT_ONCE) {
			const n = `${queue.splice(AT_ONCE - 1).length}`;
			queue.push({ text: t("more_said", { n }), urgent: false });
		}
		for (const { text, urgent } of queue) {
			const line = make("p", {}, text);
			(urgent ? this.alert : this.status).append(line);
			setTimeout(() => line.remove(), KEEP);
		}
	}
};
function wording(message) {
	const { job, level, title, body } = message;
	const percent = job && isRunning(message) && job.percent != null ? formatPercent(job.percent) : "";
	const parts = [title, isRunning(message) ? percent : body];
	return `${t(job ? `state_${job.state}` : `level_${level}`)}: ${parts.filter(Boolean).join(". ")}`;
}
var Dialogs = class {
	#element;
	#moved;
	#home = null;
	#top;
	#observer = new MutationObserver((records) => this.#look(records.at(-1)?.target));
	constructor(element, moved) {
		this.#element = element;
		this.#moved = moved;
	}
	watch() {
		this.#observer.observe(document, { subtree: true, attributeFilter: ["open"] });
		this.#look();
	}
	rescue() {
		this.#observer.disconnect();
		if (!this.#home) return;
		setTimeout(() => {
			if (!this.#element.isConnected && this.#home?.isConnected) this.#goHome();
		});
	}
	#look(changed) {
		const open = [...document.querySelectorAll("dialog:modal")];
		const isOpen = (dialog) => open.includes(dialog);
		const top = this.#top = [changed, this.#top].find(isOpen) ?? open.at(-1);
		if (!top) return this.#home?.isConnected && this.#goHome();
		if (this.#element.parentNode === top) return;
		if (!this.#home) this.#element.before(this.#home = new Comment());
		this.#move(top, null);
	}
	#goHome() {
		const home = this.#home;
		this.#home = null;
		if (home?.parentNode) this.#move(home.parentNode, home);
		home?.remove();
	}
	#move(parent, before) {
		if (parent.moveBefore && this.#element.isConnected) parent.moveBefore(this.#element, before);
		else parent.insertBefore(this.#element, before);
		this.#moved();
	}
};
var Toast = class extends MessageView {
	#close;
	constructor(onClose, onFollow) {
		super();
		this.#close = button("close", () => onClose(this.message), icon("close"));
		this.link.addEventListener("click", (event) => onFollow(this.message, event));
		this.node.append(this.#close);
	}
	fill(message) {
		super.fill(message, "toast");
		this.node.dataset.id = `${message.id}`;
		this.#close.ariaLabel = t("close", { title: shortHeading(message) });
	}
};
var MonitioMessages = class extends MonitioElement {
	static observedAttributes = ["placement", "max", "duration", "auto-close", "announce-every"];
	#announcer = new Announcer();
	#loading = false;
	#taken = new WeakMap();
	#cameFrom = null;
	#renderSoon = batched(() => this.#render());
	#observer = new MutationObserver(() => this.#takeServerItems());
	#dialogs = new Dialogs(this, () => this.#rise());
	#list = make("ol", { part: "list" });
	#more = button("more", () => this.#openInbox());
	#closeAll = button("close-all", () => this.closeAll(), t("close_all"));
	#footer = make("div", { class: "footer" }, this.#more, this.#closeAll);
	#stack = make("section", { part: "stack", popover: "manual", role: "region", tabindex: -1 }, this.#list, this.#footer);
	#rows = new Rows(this.#list, () => new Toast((message) => this.close(message), (message, event) => this.#follow(message, event)));
	constructor() {
		super(styles.toasts);
		const on = (type, act) => this.#stack.addEventListener(type, act);
		on("pointerenter", () => popups.hold("pointer", true));
		on("pointerleave", () => popups.hold("pointer", false));
		on("focusin", (event) => this.#focusCame(event));
		on("focusout", () => popups.hold("focus", false));
		on("keydown", (event) => event.key === "Escape" && this.#escape(event));
		this.root.append(this.#announcer.status, this.#announcer.alert, this.#stack);
	}
	connect() {
		const { hotkey } = this;
		configure(this);
		this.#stack.ariaLabel = hotkey ? t("region", { hotkey }) : t("bell");
		this.listen(popups, "incoming", (event) => this.#incoming(event));
		this.listen(popups, "update", ({ detail }) => this.#news(detail));
		this.listen(popups, "change", this.#renderSoon);
		this.listen(store, "unread", () => this.#unread());
		this.listen(store, "failed", () => this.#announcer.t(t("failed"), true));
		this.listen(store, "connection", () => this.#connection());
		this.listen(document, "keydown", (event) => this.#hotkeyPressed(event));
		this.listen(document, "focusin", ({ target }) => this.#avoidFocus(target));
		this.#observer.observe(this, { childList: true, subtree: true, attributeFilter: ["data-message"] });
		this.#dialogs.watch();
		this.attributeChangedCallback();
		this.#takeServerItems();
		this.#unread();
		watchSight();
	}
	disconnectedCallback() {
		super.disconnectedCallback();
		this.#observer.disconnect();
		this.#dialogs.rescue();
	}
	attributeChangedCallback() {
		const placement = (this.getAttribute("placement") ?? "bottom-end").split("-");
		for (const side of ["bottom", "start", "center"]) this.#stack.classList.toggle(side, placement.includes(side));
		popups.duration = +(this.getAttribute("duration") ?? 8e3);
		popups.autoClose = this.getAttribute("auto-close") !== "off";
		this.#announcer.every = +(this.getAttribute("announce-every") ?? 30);
		this.#renderSoon();
	}
	get #isOpen() {
		return this.#stack.matches(":popover-open");
	}
	get hotkey() {
		return this.getAttribute("hotkey") ?? "F8";
	}
	close(message) {
		if (this.fire("close", { message: { ...message } })) popups.close(message.id);
	}
	closeAll() {
		if (this.fire("closeall")) popups.closeAll();
	}
	#openInbox() {
		const bell = document.querySelector("monitio-bell");
		if (bell) bell.open();
		else location.assign(actions.url);
	}
	#takeServerItems() {
		this.#loading = true;
		for (const item of [...this.querySelectorAll("li[data-message]")].reverse()) {
			const message = item.getAttribute("data-message");
			if (message && this.#taken.get(item) !== message) store.seed(JSON.parse(message));
			this.#taken.set(item, message);
		}
		this.#loading = false;
	}
	#incoming(event) {
		const { message, previous } = event.detail;
		if (this.fire("message", { message: { ...message }, isNew: !previous })) this.#arrived(event.detail);
		else event.preventDefault();
	}
	#arrived(change) {
		this.#news(change);
		if (connection.leads && !this.#loading) notify(change.message);
	}
	#news({ message, previous }) {
		if (!this.#loading || !isRunning(message)) this.#announcer.message(message, previous);
		const state = message.job?.state;
		if (state !== previous?.job?.state) this.fire("task", { message: { ...message }, state });
	}
	#follow(message, event) {
		if (!this.fire("action", { message: { ...message } })) event.preventDefault();
		else if (!isRunning(message)) actions.markRead(message.id);
	}
	#render() {
		const most = +(this.getAttribute("max") ?? (matchMedia("(max-width: 30rem)").matches ? 3 : 5));
		const visible = popups.show(popups.holds.has("inbox") ? 0 : most);
		const instead = this.#rows.update(visible);
		const extra = popups.size - visible.length;
		this.#footer.hidden = popups.size < 2;
		this.#more.hidden = !extra;
		setText(this.#more, t("more", { n: formatNumber(extra) }));
		this.#toggle(visible.length > 0);
		if (instead) instead.querySelector("li > button").focus();
		else if (instead === null) this.#goBack();
	}
	#toggle(open) {
		if (open === this.#isOpen || !this.isConnected) return;
		this.#stack.togglePopover(open);
		this.#placeBelowBell();
		if (!open) popups.hold("pointer", false);
	}
	#rise() {
		if (!this.#isOpen) return this.#renderSoon();
		this.#stack.hidePopover();
		this.#stack.showPopover();
	}
	#placeBelowBell() {
		const bell = document.querySelector("monitio-bell")?.getBoundingClientRect();
		const below = bell && bell.bottom > 0 && !this.#stack.classList.contains("bottom");
		this.#stack.style.insetBlockStart = below ? `${bell.bottom + 8}px` : "";
	}
	#avoidFocus(focused) {
		if (focused === this || !this.#isOpen) return;
		const a = focused.getBoundingClientRect();
		const b = this.#stack.getBoundingClientRect();
		const apart = a.right <= b.left || a.left >= b.right || a.bottom <= b.top || a.top >= b.bottom;
		if (apart || !a.width) return;
		this.#stack.classList.toggle("bottom");
		this.#placeBelowBell();
	}
	#hotkeyPressed(event) {
		if (event.key !== this.hotkey || !this.#isOpen) return;
		event.preventDefault();
		if (this.hasFocus(this.#stack)) this.#goBack();
		else this.#stack.focus({ preventScroll: true });
	}
	#escape(event) {
		event.preventDefault();
		event.stopPropagation();
		const close = event.target.closest("li")?.querySelector("li > button");
		if (close) close.click();
		else this.#goBack();
	}
	#focusCame({ relatedTarget }) {
		popups.hold("focus", true);
		if (relatedTarget && !this.#stack.contains(relatedTarget)) this.#cameFrom = relatedTarget;
	}
	#goBack() {
		const target = this.#cameFrom;
		this.#cameFrom = null;
		this.root.activeElement?.blur();
		popups.hold("focus", false);
		if (target?.isConnected) target.focus({ preventScroll: true });
	}
	#connection() {
		const { state } = connection;
		this.state("offline", state === "offline");
		this.fire("connection", { state });
	}
	#unread() {
		this.fire("unread", { count: store.unread });
		showBadges(this, store.unread);
	}
};
var MonitioProgress = class extends MonitioElement {
	static observedAttributes = ["task"];
	#waiting = make("slot");
	#view = new MessageView("div");
	#state = "";
	constructor() {
		super();
		this.root.append(this.#waiting, this.#view.node);
	}
	connect() {
		this.listen(store, "put", ({ detail }) => this.#take(detail.message));
		this.attributeChangedCallback();
	}
	attributeChangedCallback() {
		this.#view.node.hidden = true;
		this.#waiting.hidden = false;
		store.list().forEach((message) => this.#take(message));
	}
	#take(message) {
		const { job } = message;
		if (!job || job.task !== this.getAttribute("task")) return;
		this.#view.fill(message, "task");
		this.#view.node.hidden = false;
		this.#waiting.hidden = true;
		if (this.#state) this.state(this.#state, false);
		this.state(this.#state = job.state, true);
	}
};
var page2 = globalThis;
var monitio = page2.monitioPage ??= { add: ({ timeout, ...message }) => store.addLocal(timeout == null ? message : { ...message, close_timeout: timeout / 1e3 }), update: (id, changes) => store.change(id, changes), close: (id) => popups.close(id), closeAll: () => popups.closeAll(), markRead: (which) => actions.markRead(which), remove: (which) => actions.remove(which), cancel: async (id) => !!await actions.cancel(id), reply: async (id, text) => !!await actions.reply(id, text), configure({ EventSourceClass = void 0, ...options } = {}) {
	actions.options = options;
	connection.configure(EventSourceClass, options);
}, get unread() {
	return store.unread;
}, get messages() {
	return store.list().map((message) => ({ ...message }));
}, get connection() {
	return connection.state;
} };
if (!customElements.get("monitio-bell")) {
	customElements.define("monitio-messages", MonitioMessages);
	customElements.define("monitio-bell", MonitioBell);
	customElements.define("monitio-progress", MonitioProgress);
}
export {
	monitio
};
