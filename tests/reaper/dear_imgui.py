"""Dear ImGui itself, without a screen, under the names of ReaImGui; and a person at mouse and keyboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from imgui_bundle import imgui

#: What ReaImGui has under the name, and a key of Dear ImGui for it.
_KEYS = {"Key_Enter": imgui.Key.enter, "Key_KeypadEnter": imgui.Key.keypad_enter, "Key_Escape": imgui.Key.escape}


def _abgr(rgba: int) -> int:
    """Turn a colour as ReaImGui has it into one of Dear ImGui."""
    return int.from_bytes(int(rgba).to_bytes(4, "big"), "little")


class DearImGui:
    """One context. A frame is begun by the first call of a turn and ended with its window."""

    def __init__(self) -> None:
        """Make a context that nothing is drawn from."""
        self.context = imgui.create_context()
        self.io = imgui.get_io()
        self.io.display_size = imgui.ImVec2(700, 900)
        self.io.delta_time = 1 / 30
        self.io.backend_flags |= imgui.BackendFlags_.renderer_has_textures.value
        self.io.set_ini_filename("")
        self.rects: dict[str, tuple[float, float, float, float]] = {}
        self.texts: list[str] = []
        self.active: str | None = None
        self.begun = False

    def close(self) -> None:
        """Let go of the context."""
        imgui.destroy_context(self.context)

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Return the functions that the scripts call."""
        return {
            **{name: (lambda value: lambda: int(value))(key) for name, key in _KEYS.items()},
            "CreateContext": lambda _, flags=0: 1,
            "ConfigFlags_DockingEnable": lambda: imgui.ConfigFlags_.docking_enable.value,
            "SetNextWindowDockID": self._dock,
            "SetNextItemWidth": lambda _, width: imgui.set_next_item_width(width),
            "Dummy": lambda _, width, height: imgui.dummy((width, height)),
            "GetWindowDrawList": lambda _: 2,
            "GetCursorScreenPos": lambda _: tuple(imgui.get_cursor_screen_pos()),
            "GetContentRegionAvail": lambda _: tuple(imgui.get_content_region_avail()),
            "DrawList_AddRectFilled": self._filled,
            "BeginDisabled": lambda _: imgui.begin_disabled(),
            "EndDisabled": lambda _: imgui.end_disabled(),
            "Col_Text": lambda: imgui.Col_.text.value,
            "PushStyleColor": lambda _, what, rgba: imgui.push_style_color(what, _abgr(rgba)),
            "PopStyleColor": lambda _: imgui.pop_style_color(),
            "Checkbox": lambda _, label, value: self._item(label, imgui.checkbox(label.decode(), value)),
            "Cond_FirstUseEver": lambda: imgui.Cond_.first_use_ever.value,
            "Mod_Ctrl": lambda: imgui.Key.mod_ctrl.value,
            "GetKeyMods": lambda _: imgui.Key.mod_ctrl.value if self.io.key_ctrl else 0,
            "SetNextWindowSize": self._size,
            "Begin": self._begin,
            "End": self._end,
            "Text": self._text,
            "TextWrapped": self._text,
            "Separator": lambda _: imgui.separator(),
            "SameLine": lambda _: imgui.same_line(),
            "ProgressBar": lambda _, part, width, height, text=None: imgui.progress_bar(
                part, (width, height), *([] if text is None else [text.decode()])
            ),
            "Button": lambda _, label: self._item(label, imgui.button(label.decode())),
            "InputText": lambda _, label, text: self._edit(label, imgui.input_text(label.decode(), text.decode())),
            "InputTextMultiline": lambda _, label, text, width, height: self._edit(
                label, imgui.input_text_multiline(label.decode(), text.decode(), (width, height))
            ),
            "SliderDouble": lambda _, label, value, low, high, shape: self._item(
                label, imgui.slider_float(label.decode(), value, low, high, shape.decode())
            ),
            "SliderInt": lambda _, label, value, low, high: self._item(
                label, imgui.slider_int(label.decode(), value, low, high)
            ),
            "BeginCombo": lambda _, label, now: self._item(label, imgui.begin_combo(label.decode(), now.decode())),
            "EndCombo": lambda _: imgui.end_combo(),
            "Selectable": lambda _, label, chosen: self._item(label, imgui.selectable(label.decode(), chosen)[0]),
            "CloseCurrentPopup": lambda _: imgui.close_current_popup(),
            "IsWindowAppearing": lambda _: imgui.is_window_appearing(),
            "IsWindowFocused": lambda _: imgui.is_window_focused(),
            "IsItemActive": lambda _: imgui.is_item_active(),
            "SetKeyboardFocusHere": lambda _: imgui.set_keyboard_focus_here(),
            "IsKeyPressed": lambda _, key, repeat=True: imgui.is_key_pressed(imgui.Key(key), repeat),
        }

    def _frame(self) -> None:
        if not self.begun:
            self.begun, self.texts, self.active = True, [], None
            self.rects.clear()
            imgui.new_frame()

    def _size(self, _: Any, width: float, height: float, condition: int) -> None:
        self._frame()
        imgui.set_next_window_size((width, height), condition)

    def _dock(self, _: Any, dock: int, condition: int) -> None:
        self._frame()
        assert dock < 0, "a docker of REAPER"
        assert condition == imgui.Cond_.first_use_ever.value

    @staticmethod
    def _filled(_: Any, x: float, y: float, x2: float, y2: float, rgba: int) -> None:
        imgui.get_window_draw_list().add_rect_filled((x, y), (x2, y2), _abgr(rgba))

    def _begin(self, _: Any, title: bytes, closable: bool | None = None) -> tuple[bool, bool]:
        self._frame()
        visible, still = imgui.begin(title.decode(), closable)
        return visible, bool(still)

    def _end(self, _: Any) -> None:
        imgui.end()
        imgui.render()
        self.begun = False

    def _text(self, _: Any, text: bytes) -> None:
        self.texts.append(text.decode())
        imgui.text_wrapped(text.decode())

    def _item(self, label: bytes, result: Any) -> Any:
        low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
        name = label.decode()
        self.rects[name] = (low.x, low.y, high.x, high.y)
        if imgui.is_item_active():
            self.active = name
        return tuple(result) if isinstance(result, tuple | list) else result

    def _edit(self, label: bytes, result: tuple[bool, str]) -> tuple[bool, bytes]:
        changed, text = self._item(label, result)
        return changed, text.encode()

    # The person

    def where(self, label: str, part: float = 0.5) -> tuple[float, float]:
        """Return a point of the widget whose label begins so: from its left edge (0) to its right (1)."""
        (rect,) = [rect for name, rect in self.rects.items() if name.startswith(label)]
        return rect[0] + part * (rect[2] - rect[0]), (rect[1] + rect[3]) / 2

    def move(self, label: str, part: float = 0.5) -> None:
        """Move the mouse onto a widget."""
        self.io.add_mouse_pos_event(*self.where(label, part))

    def button(self, down: bool) -> None:
        """Press the mouse, or let it go."""
        self.io.add_mouse_button_event(0, down)

    def type(self, text: str) -> None:
        """Type."""
        self.io.add_input_characters_utf8(text)

    def key(self, key: imgui.Key, down: bool, *, control: bool = False) -> None:
        """Press a key, or let it go."""
        self.io.add_key_event(imgui.Key.mod_ctrl, control)
        self.io.add_key_event(imgui.Key.left_ctrl, control)
        self.io.add_key_event(key, down)
