-- Items and takes.

local import = ...
local model = import("model")

return function(fake, own)
  local pointers, broken = fake.pointers, fake.broken

  -- P_NAME, P_NOTES, GUID, P_EXT:…
  function fake.get_set_text(object, key, value, set, project)
    local extension = key:match("^P_EXT:(.+)$")
    if key == "GUID" then
      return true, object.guid
    elseif extension then
      if set then
        object.ext[extension] = value ~= "" and value or nil
        fake.touch(project)
      end
      return set or object.ext[extension] ~= nil, object.ext[extension] or ""
    elseif object.texts[key] == nil then
      return false, ""
    elseif set then
      object.texts[key] = value
      fake.touch(project)
      fake.writes[key] = (fake.writes[key] or 0) + 1
    end
    return true, object.texts[key]
  end

  local function item_of(pointer)
    return pointers.find(pointer, "MediaItem") or error("stale MediaItem")
  end

  local function take_of(pointer)
    return pointers.find(pointer, "MediaItem_Take") or error("stale MediaItem_Take")
  end

  fake.item_of, fake.take_of = item_of, take_of

  local function all_items(project)
    local found = {}
    for _, track in ipairs(project.tracks) do
      for _, item in ipairs(track.items) do
        found[#found + 1] = item
      end
    end
    return found
  end

  fake.all_items = all_items

  local function selected_items(project)
    local found = {}
    for _, item in ipairs(all_items(project)) do
      if item.selected then
        found[#found + 1] = item
      end
    end
    return found
  end

  fake.selected_items = selected_items

  -- What a person does with items

  function fake.add_item(track, item)
    track.items[#track.items + 1] = item
    item.track = track
    fake.register_item(item)
    fake.touch(track.project)
    return item
  end

  function fake.new_audio_item(track, position, length)
    local item = model.new_item()
    item.info.D_POSITION, item.info.D_LENGTH = position, length
    item.takes[1] = model.new_take()
    return fake.add_item(track, item)
  end

  -- A copy has a new GUID, and what scripts wrote goes with it.
  function fake.copy_item(item, track, position)
    local plain = model.plain_item(item)
    local made = model.copy(plain)
    made.guid = model.guid()
    made.ext = broken.copy_loses and {} or made.ext -- fact 36
    made.info.D_POSITION = position
    for index, take in ipairs(made.takes) do
      take.guid = model.guid()
      take.file, take.source = nil, item.takes[index].source
    end
    return fake.add_item(track or item.track, made)
  end

  function fake.split_item(item, at)
    local first = at - item.info.D_POSITION
    local right = fake.copy_item(item, item.track, at)
    right.info.D_LENGTH = item.info.D_LENGTH - first
    for _, take in ipairs(right.takes) do
      take.info.D_STARTOFFS = take.info.D_STARTOFFS + first * take.info.D_PLAYRATE
      for _, marker in ipairs(take.markers) do
        marker.at = marker.at - first * take.info.D_PLAYRATE
      end
    end
    item.info.D_LENGTH = first
    fake.touch(item.track.project)
    return right
  end

  function fake.delete_item(item)
    local items = item.track.items
    for index, one in ipairs(items) do
      if one == item then
        table.remove(items, index)
      end
    end
    if not broken.stale_delete then -- fact 5
      fake.kill_item(item)
    end
    fake.touch(item.track.project)
  end

  -- As a script sees them

  function own.CountMediaItems(pointer)
    local count = 0
    for _, track in ipairs(fake.project(pointer).tracks) do
      count = count + #track.items
    end
    return count
  end

  function own.GetMediaItem(pointer, index)
    for _, track in ipairs(fake.project(pointer).tracks) do
      if index < #track.items then
        return fake.at(track.items, index)
      end
      index = index - #track.items
    end
  end

  function own.CountSelectedMediaItems(pointer)
    return #selected_items(fake.project(pointer))
  end

  function own.GetSelectedMediaItem(pointer, index)
    return fake.at(selected_items(fake.project(pointer)), index)
  end

  function own.IsMediaItemSelected(pointer)
    return item_of(pointer).selected
  end

  function own.SetMediaItemSelected(pointer, selected)
    item_of(pointer).selected = selected
    fake.touch(item_of(pointer).track.project)
  end

  function own.CountTrackMediaItems(pointer)
    return #fake.track_of(pointer).items
  end

  function own.GetTrackMediaItem(pointer, index)
    return fake.at(fake.track_of(pointer).items, index)
  end

  function own.GetMediaItemTrack(pointer)
    return pointers.of(item_of(pointer).track)
  end

  -- fact 38: a new item loops its source
  function own.AddMediaItemToTrack(pointer)
    local item = model.new_item()
    if broken.loop_default then
      item.info.B_LOOPSRC = 0
    end
    fake.add_item(fake.track_of(pointer), item)
    return pointers.of(item)
  end

  function own.SplitMediaItem(pointer, position)
    return pointers.of(fake.split_item(item_of(pointer), position))
  end

  function own.DeleteTrackMediaItem(_, pointer)
    fake.delete_item(item_of(pointer))
    return true
  end

  function own.GetMediaItemInfo_Value(pointer, key)
    local item = item_of(pointer)
    return (assert(item.info[key], "no such parameter of an item: " .. key)) + 0.0
  end

  function own.SetMediaItemInfo_Value(pointer, key, value)
    local item = item_of(pointer)
    assert(item.info[key], "no such parameter of an item: " .. key)
    item.info[key] = value
    if key == "I_FIXEDLANE" and item.track.info.I_FREEMODE == 2 then
      fake.grow_lanes(item.track, math.tointeger(value) + 1)
    end
    fake.touch(item.track.project)
    return true
  end

  function own.GetSetMediaItemInfo_String(pointer, key, value, set)
    local item = item_of(pointer)
    return fake.get_set_text(item, key, value, set, item.track.project)
  end

  function own.UpdateItemInProject(pointer)
    item_of(pointer)
  end

  function own.CountTakes(pointer)
    return #item_of(pointer).takes
  end

  function own.GetTake(pointer, index)
    return fake.at(item_of(pointer).takes, index)
  end

  function own.GetActiveTake(pointer)
    local item = item_of(pointer)
    return pointers.of(item.takes[item.active + 1])
  end

  function own.SetActiveTake(pointer)
    local take = take_of(pointer)
    for index, one in ipairs(take.item.takes) do
      if one == take then
        take.item.active = index - 1
      end
    end
    fake.touch(take.item.track.project)
  end

  function own.AddTakeToMediaItem(pointer)
    local item = item_of(pointer)
    local take = model.new_take()
    item.takes[#item.takes + 1] = take
    take.item = item
    pointers.make("MediaItem_Take", take)
    fake.touch(item.track.project)
    return take.pointer
  end

  function own.GetMediaItemTakeInfo_Value(pointer, key)
    local take = take_of(pointer)
    return (assert(take.info[key], "no such parameter of a take: " .. key)) + 0.0
  end

  function own.SetMediaItemTakeInfo_Value(pointer, key, value)
    local take = take_of(pointer)
    assert(take.info[key], "no such parameter of a take: " .. key)
    take.info[key] = value
    fake.touch(take.item.track.project)
    return true
  end

  function own.GetSetMediaItemTakeInfo_String(pointer, key, value, set)
    local take = take_of(pointer)
    return fake.get_set_text(take, key, value, set, take.item.track.project)
  end

  function own.GetMediaItemTakeByGUID(pointer, guid)
    for _, item in ipairs(fake.all_items(fake.project(pointer))) do
      for _, take in ipairs(item.takes) do
        if take.guid == guid then
          return pointers.of(take)
        end
      end
    end
  end

  function own.TakeFX_GetCount(pointer)
    return #take_of(pointer).fx
  end

  function own.TakeFX_GetEnabled(pointer, index)
    return take_of(pointer).fx[index + 1].enabled
  end

  function own.TakeFX_SetEnabled(pointer, index, enabled)
    take_of(pointer).fx[index + 1].enabled = enabled
  end

  -- Stretch markers. fact 63: they stand by the edge of the item, in the take's time: seconds of the project times the rate; a change of
  -- the offset or of the edge moves none of them

  function own.GetTakeNumStretchMarkers(pointer)
    return #take_of(pointer).markers
  end

  function own.GetTakeStretchMarker(pointer, index)
    local marker = take_of(pointer).markers[index + 1]
    if not marker then
      return -1, 0.0, 0.0
    end
    return index, marker.at, marker.source
  end

  function own.SetTakeStretchMarker(pointer, index, at, source)
    local take = take_of(pointer)
    local marker = index >= 0 and assert(take.markers[index + 1], "no such stretch marker") or {}
    source = source or marker.source or take.info.D_STARTOFFS + at
    assert(source >= 0 and source <= take.source.length, "a stretch marker outside of the source")
    marker.at, marker.source = at, source
    if index < 0 then
      table.insert(take.markers, marker)
    end
    table.sort(take.markers, function(a, b) return a.at < b.at end)
    for number = 2, #take.markers do
      local before, this = take.markers[number - 1], take.markers[number]
      assert(this.at > before.at and this.source > before.source, "a stretch marker beyond its neighbour")
    end
    fake.touch(take.item.track.project)
    for number, one in ipairs(take.markers) do
      if one == marker then
        return number - 1
      end
    end
  end

  function own.DeleteTakeStretchMarkers(pointer, index, count)
    local take = take_of(pointer)
    for _ = 1, count or 1 do
      table.remove(take.markers, index + 1)
    end
    fake.touch(take.item.track.project)
    return count or 1
  end

  -- Return which second of its source a take plays at a time of the project.
  function fake.source_at(take, time)
    local at = (time - take.item.info.D_POSITION) * take.info.D_PLAYRATE
    local edge = broken.stretch_markers and at + 1 or at
    local markers = take.markers
    if #markers == 0 then
      return take.info.D_STARTOFFS + at
    end
    local left, right = markers[1], nil
    for _, marker in ipairs(markers) do
      if marker.at <= edge then
        left = marker
      elseif not right then
        right = marker
      end
    end
    if not right or left.at > edge then
      return left.source + edge - left.at
    end
    return left.source + (edge - left.at) * (right.source - left.source) / (right.at - left.at)
  end

  function own.ColorToNative(red, green, blue)
    return red | green << 8 | blue << 16
  end
end
