// The player of a take: both takes and the recordings beside them run together, and one of them is heard.
// X switches between the takes at the same position, R to the recording beside the take and back, L begins
// anew at the end, the space bar plays and pauses. Everything is delegated from the document, since Gradio replaces what it shows.
(() => {
  "use strict";
  const FADE = 0.01; // seconds over which one sound gives way to another
  let context = null;
  let playing = null; // { root, sources, gains, began, from }
  const decoded = new Map();

  const state = (root) =>
    (root.unheard ??= { sounds: JSON.parse(root.dataset.player), active: 0, take: 0, position: 0, loop: false });
  const seconds = (root) => Number(root.dataset.seconds);
  const position = (root) =>
    playing?.root === root
      ? Math.max(0, playing.from + context.currentTime - playing.began)
      : state(root).position;

  async function load(url) {
    if (!decoded.has(url)) {
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
      decoded.set(url, await context.decodeAudioData(await answer.arrayBuffer()));
    }
    return decoded.get(url);
  }

  function pause() {
    if (!playing) return;
    const { root, sources } = playing;
    state(root).position = Math.min(position(root), seconds(root));
    for (const source of sources) source?.stop();
    playing = null;
    show(root);
  }

  async function play(root) {
    pause();
    context ??= new AudioContext();
    const at = state(root);
    const wanted = new Set(at.sounds.map((sound) => sound.url));
    for (const url of decoded.keys()) if (!wanted.has(url)) decoded.delete(url);
    const [buffers] = await Promise.all([
      Promise.all(at.sounds.map((sound) => load(sound.url))),
      context.resume(),
    ]);
    if (!root.isConnected || playing) return;
    if (at.position >= seconds(root) - 0.05) at.position = 0;
    const began = context.currentTime + 0.05;
    const gains = [];
    const sources = buffers.map((buffer, number) => {
      const gain = context.createGain();
      gain.gain.value = number === at.active ? 1 : 0;
      gain.connect(context.destination);
      gains.push(gain);
      const offset = at.position - at.sounds[number].shift;
      if (offset >= buffer.duration) return null;
      const source = context.createBufferSource();
      source.buffer = buffer;
      source.connect(gain);
      source.start(began + Math.max(0, -offset), Math.max(0, offset));
      return source;
    });
    playing = { root, sources, gains, began, from: at.position };
    show(root);
    requestAnimationFrame(tick);
  }

  function hear(root, number) {
    const at = state(root);
    at.active = number;
    if (at.sounds[number].take) at.take = number;
    if (playing?.root === root)
      playing.gains.forEach((gain, each) =>
        gain.gain.setTargetAtTime(each === number ? 1 : 0, context.currentTime, FADE / 3));
    show(root);
  }

  function seek(root, to) {
    const was = playing?.root === root;
    if (was) pause();
    state(root).position = Math.min(Math.max(0, to), seconds(root));
    show(root);
    if (was) play(root);
  }

  function next(root) {
    const { sounds, take } = state(root);
    const takes = sounds.flatMap((sound, number) => (sound.take ? [number] : []));
    hear(root, takes[(takes.indexOf(take) + 1) % takes.length]);
  }

  function recording(root) {
    const { sounds, active, take } = state(root);
    if (active !== take) return hear(root, take);
    if (sounds[take + 1] && !sounds[take + 1].take) hear(root, take + 1);
  }

  function loop(root) {
    state(root).loop = !state(root).loop;
    show(root);
  }

  function tick() {
    if (!playing) return;
    const { root } = playing;
    const ended = position(root) >= seconds(root);
    if (!root.isConnected || ended) {
      pause();
      if (ended && state(root).loop) play(root);
      return;
    }
    show(root);
    requestAnimationFrame(tick);
  }

  function show(root) {
    const at = state(root);
    const now = position(root);
    root.dataset.state = playing?.root === root ? "playing" : "paused";
    root.dataset.active = at.active;
    root.dataset.position = now.toFixed(3);
    root.querySelector("[data-do=play]").textContent = playing?.root === root ? "Pause" : "Play";
    root.querySelector("[data-do=loop]").setAttribute("aria-pressed", at.loop);
    root.querySelector(".clock").textContent = `${now.toFixed(1)} of ${seconds(root).toFixed(1)} s`;
    root.querySelector(".now").textContent = at.sounds[at.active]?.name ?? "";
    for (const lane of root.querySelectorAll("[data-lane]")) {
      const sound = at.sounds[lane.dataset.lane];
      lane.classList.toggle("heard", Number(lane.dataset.lane) === at.active);
      const share = (now - sound.shift) / sound.lasts;
      const head = lane.querySelector(".head");
      head.style.left = `${100 * share}%`;
      head.hidden = share < 0 || share > 1;
    }
  }

  const doing = {
    play: (root) => (playing?.root === root ? pause() : play(root)),
    switch: next,
    recording,
    loop,
  };

  document.addEventListener("click", (event) => {
    const root = event.target.closest?.(".take[data-player]");
    if (!root) return;
    const button = event.target.closest("[data-do]");
    const lane = event.target.closest("[data-lane]");
    if (button) return doing[button.dataset.do](root);
    if (!lane || event.target.closest("a")) return;
    hear(root, Number(lane.dataset.lane));
    const picture = event.target.closest(".picture");
    if (picture) {
      const box = picture.getBoundingClientRect();
      const sound = state(root).sounds[lane.dataset.lane];
      seek(root, ((event.clientX - box.left) / box.width) * sound.lasts + sound.shift);
    }
  });

  // On a phone the page goes on below the form, where what happens would not be seen.
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#generate") && matchMedia("(max-width: 640px)").matches)
      setTimeout(() => document.getElementById("meter")?.scrollIntoView({ behavior: "smooth" }), 600);
  });

  document.addEventListener("keydown", (event) => {
    const writing = event.target.closest?.("input:not([type=radio], [type=checkbox]), textarea, [contenteditable]");
    if (writing || event.ctrlKey || event.metaKey || event.altKey) return;
    const root = playing?.root ?? document.querySelector(".take[data-player]");
    if (!root) return;
    const onButton = event.target.closest?.("button, a, summary, [role=tab], [role=radio]");
    if (event.key === " " && !onButton) doing.play(root);
    else if (event.key === "x" || event.key === "X") next(root);
    else if (event.key === "r" || event.key === "R") recording(root);
    else if (event.key === "l" || event.key === "L") loop(root);
    else if (event.key === "Enter" && event.target.matches("[data-lane]"))
      hear(root, Number(event.target.dataset.lane));
    else return;
    event.preventDefault();
  });
})();
