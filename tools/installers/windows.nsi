; The setup of daw-bridge for Windows: for one person, without an administrator. Made by tools/installers/windows.py.
;   /S        silent              /LOGIN    also start it at each login          /D=FOLDER   another folder (last)
; What the person has (takes, home, settings, projects) is in other folders and is never touched.
Target amd64-unicode
Unicode true
!include MUI2.nsh
!include LogicLib.nsh
!include FileFunc.nsh
!include x64.nsh

Name "DAW Bridge"
OutFile "${OUT}"
RequestExecutionLevel user
InstallDir "$LOCALAPPDATA\Programs\daw-bridge"
InstallDirRegKey HKCU "Software\daw-bridge" "Folder"
!ifdef QUICK
  SetCompressor zlib
!else
  SetCompressor /SOLID lzma
!endif
BrandingText "DAW Bridge ${VERSION}"
VIProductVersion "${NUMBERS}"
VIAddVersionKey "ProductName" "DAW Bridge"
VIAddVersionKey "FileDescription" "Setup of DAW Bridge"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "LegalCopyright" "MIT License"

!define KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\daw-bridge"
!define MUI_FINISHPAGE_RUN
!define MUI_FINISHPAGE_RUN_FUNCTION SetUp
!define MUI_FINISHPAGE_RUN_TEXT "Set it up now: limits, DAWs, folders"
!insertmacro MUI_PAGE_COMPONENTS
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

; Run the installed Python with the helper, without a window. Its exit code is left in $0.
!macro Helper VERB
  nsExec::ExecToLog '"$INSTDIR\python\python.exe" "$INSTDIR\windows_helper.py" ${VERB}'
  Pop $0
!macroend

!macro StillRuns
  SetErrorLevel 3
  MessageBox MB_OK|MB_ICONSTOP "A bridge still runs and cannot be stopped. Nothing was changed. Close its windows (daw-bridge stop), then try again." /SD IDOK
  Abort
!macroend

; End every bridge that runs from this folder, or go no further: files in use cannot be replaced.
!macro StopBridges
  ${If} ${FileExists} "$INSTDIR\windows_helper.py"
  ${AndIf} ${FileExists} "$INSTDIR\python\python.exe"
    DetailPrint "Stopping the bridge: a request on the wire is awaited."
    !insertmacro Helper stop
    ${If} $0 == 9 ; another code is of a Python that is half there, after a setup that was cut off
      !insertmacro StillRuns
    ${EndIf}
  ${EndIf}
!macroend

; The folder may be one that a person named, with a "python" or "site" of theirs in it. Ours has the helper beside it.
!macro RefuseForeignFolder
  ${IfNot} ${FileExists} "$INSTDIR\windows_helper.py"
    ${If} ${FileExists} "$INSTDIR\python\*.*"
    ${OrIf} ${FileExists} "$INSTDIR\site\*.*"
      SetErrorLevel 6
      MessageBox MB_OK|MB_ICONSTOP "In $INSTDIR lies a folder python or site that is not of this setup. Nothing was changed. Choose another folder." /SD IDOK
      Abort
    ${EndIf}
  ${EndIf}
!macroend

; Only what was put there: whatever a person has put beside it stays. A Python that runs cannot be deleted: then nothing is.
!macro RemoveFiles
  ClearErrors
  ${If} ${FileExists} "$INSTDIR\python\python.exe"
    Delete "$INSTDIR\python\python.exe"
    ${If} ${Errors}
      !insertmacro StillRuns
    ${EndIf}
  ${EndIf}
  RMDir /r "$INSTDIR\python"
  RMDir /r "$INSTDIR\site"
  Delete "$INSTDIR\daw-bridge.exe"
  Delete "$INSTDIR\windows_helper.py"
  Delete "$INSTDIR\LICENSE"
!macroend

Section "DAW Bridge" SEC_MAIN
  SectionIn RO
  !insertmacro RefuseForeignFolder
  !insertmacro StopBridges
  !insertmacro RemoveFiles
  ClearErrors
  SetOutPath "$INSTDIR"
  File "${APP}/windows_helper.py" ; first: it says whose the folder is, also if this is cut off
  File /r "${APP}/*"
  ${If} ${Errors}
    SetErrorLevel 4
    MessageBox MB_OK|MB_ICONSTOP "Some files could not be written. Run this setup again." /SD IDOK
    Abort
  ${EndIf}
  WriteUninstaller "$INSTDIR\uninstall.exe"
  !insertmacro Helper path
  SendMessage 0xFFFF 0x001A 0 "STR:Environment" /TIMEOUT=500 ; programs that start from now on have the new PATH

  SetOutPath "$PROFILE" ; where what the shortcuts start works
  CreateDirectory "$SMPROGRAMS\DAW Bridge"
  CreateShortcut "$SMPROGRAMS\DAW Bridge\DAW Bridge.lnk" "$SYSDIR\cmd.exe" '/C ""$INSTDIR\daw-bridge.exe" start && "$INSTDIR\daw-bridge.exe" open || pause"' "$INSTDIR\daw-bridge.exe"
  CreateShortcut "$SMPROGRAMS\DAW Bridge\Set up DAW Bridge.lnk" "$SYSDIR\cmd.exe" '/K ""$INSTDIR\daw-bridge.exe" setup"' "$INSTDIR\daw-bridge.exe"
  CreateShortcut "$SMPROGRAMS\DAW Bridge\Stop DAW Bridge.lnk" "$SYSDIR\cmd.exe" '/C ""$INSTDIR\daw-bridge.exe" stop || pause"' "$INSTDIR\daw-bridge.exe"
  CreateShortcut "$SMPROGRAMS\DAW Bridge\Uninstall DAW Bridge.lnk" "$INSTDIR\uninstall.exe"

  WriteRegStr HKCU "Software\daw-bridge" "Folder" "$INSTDIR"
  WriteRegStr HKCU "${KEY}" "DisplayName" "DAW Bridge"
  WriteRegStr HKCU "${KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${KEY}" "Publisher" "DAW Bridge"
  WriteRegStr HKCU "${KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${KEY}" "EstimatedSize" ${KILOBYTES}
  WriteRegDWORD HKCU "${KEY}" "NoModify" 1
  WriteRegDWORD HKCU "${KEY}" "NoRepair" 1
SectionEnd

Section /o "Start it at each login" SEC_LOGIN
  !insertmacro Helper login
SectionEnd

Function .onInit
  ${IfNot} ${RunningX64}
    MessageBox MB_OK|MB_ICONSTOP "DAW Bridge needs a 64-bit Windows." /SD IDOK
    SetErrorLevel 5
    Abort
  ${EndIf}
  ${GetParameters} $R0
  ClearErrors
  ${GetOptions} $R0 "/LOGIN" $R1
  ${IfNot} ${Errors}
    SectionGetFlags ${SEC_LOGIN} $R2
    IntOp $R2 $R2 | 1
    SectionSetFlags ${SEC_LOGIN} $R2
  ${EndIf}
FunctionEnd

Function SetUp
  Exec '"$SYSDIR\cmd.exe" /K ""$INSTDIR\daw-bridge.exe" setup"'
FunctionEnd

Section "Uninstall"
  !insertmacro StopBridges
  !insertmacro Helper no-login
  !insertmacro StopBridges
  !insertmacro Helper no-path
  SendMessage 0xFFFF 0x001A 0 "STR:Environment" /TIMEOUT=500
  !insertmacro RemoveFiles
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  RMDir /r "$SMPROGRAMS\DAW Bridge"
  DeleteRegKey HKCU "${KEY}"
  DeleteRegKey HKCU "Software\daw-bridge"
SectionEnd
